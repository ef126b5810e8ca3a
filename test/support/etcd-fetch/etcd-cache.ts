import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { etcdVersion } from './etcd-line.js';

/** Where fetched servers are kept, one folder a line. */
export function cacheFolder(): string {
  return process.env['ETCD_CACHE'] || join(homedir(), '.cache', 'etcd');
}

/** Where the cache keeps a line's server, whether or not it is there. */
export function cachedBinary(line: string): string {
  return join(cacheFolder(), line, 'usr', 'bin', 'etcd');
}

/**
 * Fills a line's folder: `unpack` gets an empty folder and puts `usr/bin/etcd` there.
 * Several processes may do this at once: each works in a folder of its own and the first rename wins.
 */
export async function fillCache(
  line: string,
  unpack: (folder: string) => Promise<void>,
): Promise<string> {
  const part = join(cacheFolder(), `.part-${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(part, { recursive: true });
  try {
    const root = join(part, 'root');
    await mkdir(root);
    await unpack(root);
    if (!(await etcdVersion(join(root, 'usr', 'bin', 'etcd')))) {
      throw new Error(`what was unpacked for etcd ${line} does not run on this machine`);
    }
    await putInPlace(root, line);
    return cachedBinary(line);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

async function putInPlace(root: string, line: string): Promise<void> {
  const place = join(cacheFolder(), line);
  try {
    await rename(root, place);
    return;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
  if (await etcdVersion(cachedBinary(line))) return;
  // What lies there does not run: an interrupted copy, or another machine's architecture.
  await rm(place, { recursive: true, force: true });
  await rename(root, place);
}
