import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { assertSha256, download } from './download.js';
import type { EtcdLine } from './etcd-line.js';

const run = promisify(execFile);
const RELEASES = 'https://github.com/etcd-io/etcd/releases/download';

/** The first failure to reach the host stands for the whole process: no line waits for it again. */
let unreachable: Error | undefined;

/** Unpacks the official release of a line into `root`, checked against its SHA256SUMS. */
export async function unpackOfficialRelease(line: EtcdLine, root: string): Promise<void> {
  if (unreachable) throw unreachable;
  const archive = archiveName(line.release);
  const sums = await download(`${RELEASES}/${line.release}/SHA256SUMS`, {
    answerTimeoutMs: 3_000,
    timeoutMs: 10_000,
  }).catch((error: unknown) => {
    unreachable = error as Error;
    throw error;
  });
  const digest = sums
    .toString('utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .find(([, file]) => file === archive)?.[0];
  if (!digest) throw new Error(`the SHA256SUMS of etcd ${line.release} do not name ${archive}`);

  const bytes = await download(`${RELEASES}/${line.release}/${archive}`);
  assertSha256(bytes, digest, archive);
  await unpack(bytes, archive, root);
}

async function unpack(bytes: Buffer, archive: string, root: string): Promise<void> {
  const file = join(root, archive);
  await writeFile(file, bytes);
  if (archive.endsWith('.zip')) await run('unzip', ['-q', file, '-d', root]);
  else await run('tar', ['-xzf', file, '-C', root]);

  const folder = join(root, archive.replace(/\.(zip|tar\.gz)$/, ''));
  const bin = join(root, 'usr', 'bin');
  await mkdir(bin, { recursive: true });
  for (const name of ['etcd', 'etcdctl']) await copyFile(join(folder, name), join(bin, name));
}

function archiveName(release: string): string {
  const cpu = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
  const system = { linux: 'linux', darwin: 'darwin' }[process.platform as string];
  if (!cpu || !system) {
    throw new Error(`etcd has no official release for ${process.platform} on ${process.arch}`);
  }
  return `etcd-${release}-${system}-${cpu}.${system === 'linux' ? 'tar.gz' : 'zip'}`;
}
