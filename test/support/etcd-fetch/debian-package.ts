import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { assertSha256, download } from './download.js';
import type { EtcdLine } from './etcd-line.js';

const run = promisify(execFile);
const APT = '/etc/apt';

/** A mirror behind a cache may take long over a file that nobody asked for lately. */
const PATIENCE = { answerTimeoutMs: 45_000, attempts: 2 };

/**
 * Unpacks Debian's etcd packages of a line into `root`: nothing is installed and no root is needed.
 * The mirror is the one that the machine's own apt uses.
 */
export async function unpackDebianPackages(line: EtcdLine, root: string): Promise<void> {
  const mirror = await debianMirror();
  if (!mirror) throw new Error('the apt sources of this machine name no Debian mirror');

  const { stdout } = await run('dpkg', ['--print-architecture']);
  const index = `${mirror}/dists/${line.suite}/main/binary-${stdout.trim()}/Packages.gz`;
  const packages = gunzipSync(await download(index, PATIENCE)).toString('utf8');

  for (const name of ['etcd-server', 'etcd-client']) {
    const { path, sha256 } = findPackage(packages, name, line.suite);
    const bytes = await download(`${mirror}/${path}`, PATIENCE);
    assertSha256(bytes, sha256, path);
    const file = join(root, `${name}.deb`);
    await writeFile(file, bytes);
    await run('dpkg', ['-x', file, root]);
    await rm(file);
  }
}

/** The first Debian archive in apt's sources, or null. Security archives have no etcd. */
export async function debianMirror(apt = APT): Promise<string | null> {
  const folder = join(apt, 'sources.list.d');
  const others = await readdir(folder).catch(() => [] as string[]);
  const files = [
    join(folder, 'debian.sources'),
    join(apt, 'sources.list'),
    ...others.map((name) => join(folder, name)),
  ];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const mirror = mirrorsIn(text).find((url) => /\/debian\/?$/.test(url));
    if (mirror) return mirror.replace(/\/$/, '');
  }
  return null;
}

/** The archives that a sources file names, in the old form (`deb http://…`) or the new (`URIs: http://…`). */
export function mirrorsIn(sources: string): string[] {
  return sources.split('\n').flatMap((row) => {
    const match = /^\s*(?:URIs:|deb\s+(?:\[[^\]]*\]\s+)?)\s*(https?:\/\/.+)$/.exec(row);
    return match?.[1]?.split(/\s+/).filter((word) => word.startsWith('http')) ?? [];
  });
}

function findPackage(packages: string, name: string, suite: string) {
  const start = `Package: ${name}\n`;
  const stanza = packages.split('\n\n').find((text) => text.startsWith(start));
  const path = stanza && /^Filename: (\S+)$/m.exec(stanza)?.[1];
  const sha256 = stanza && /^SHA256: ([0-9a-f]{64})$/m.exec(stanza)?.[1];
  if (!path || !sha256) throw new Error(`Debian's ${suite} does not carry ${name}`);
  return { path, sha256 };
}
