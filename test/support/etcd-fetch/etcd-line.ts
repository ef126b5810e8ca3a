import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A line of etcd releases that the library promises to work with. */
export interface EtcdLine {
  /** How tests name it. */
  readonly name: string;
  /** The official release that stands for it. */
  readonly release: string;
  /** The Debian suite whose archive carries it. */
  readonly suite: string;
}

/** Oldest first. 3.5.16 is a line of its own: it is the last one with the compaction bug of 3.5. */
export const KNOWN_LINES: readonly EtcdLine[] = [
  { name: '3.4', release: 'v3.4.23', suite: 'bookworm' },
  { name: '3.5.16', release: 'v3.5.16', suite: 'trixie' },
  { name: '3.5', release: 'v3.5.30', suite: 'forky' },
];

/** The line that a bare `etcdBinary()` prefers. */
export const DEFAULT_LINE = '3.5';

export function knownLine(name: string): EtcdLine {
  const line = KNOWN_LINES.find((candidate) => candidate.name === name);
  if (!line) {
    const names = KNOWN_LINES.map((candidate) => candidate.name).join(', ');
    throw new Error(`No etcd line is called ${name}; the tests know ${names}.`);
  }
  return line;
}

/** The line of a version: `3.5.16` is its own, any other `3.5.x` is `3.5`. */
export function lineOfVersion(version: string): string {
  if (KNOWN_LINES.some((line) => line.name === version)) return version;
  return version.split('.').slice(0, 2).join('.');
}

/** The version that a binary reports, or null if it is not an etcd that runs on this machine. */
export async function etcdVersion(binary: string): Promise<string | null> {
  try {
    const { stdout } = await run(binary, ['--version'], { timeout: 10_000 });
    return /^etcd Version: (\d+\.\d+\.\d+)/m.exec(stdout)?.[1] ?? null;
  } catch {
    return null;
  }
}
