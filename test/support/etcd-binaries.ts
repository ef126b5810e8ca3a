import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { unpackDebianPackages } from './etcd-fetch/debian-package.js';
import { cachedBinary, fillCache } from './etcd-fetch/etcd-cache.js';
import {
  DEFAULT_LINE,
  etcdVersion,
  KNOWN_LINES,
  knownLine,
  lineOfVersion,
} from './etcd-fetch/etcd-line.js';
import { unpackOfficialRelease } from './etcd-fetch/official-release.js';

/**
 * What the run's global set-up found, line by line, handed to every worker through the environment so that
 * no worker looks, or downloads, again. JSON of `Record<line, path>`.
 */
export const RESOLVED_ENV = 'ETCD_TEST_BINARIES';

/** Why a line cannot be had, one sentence a source; for the words at the end of the run. */
export const reasonsByLine = new Map<string, string[]>();

const found = new Map<string, Promise<string | null>>();

/**
 * A real etcd server that runs here, or null if none can be had.
 * The first that works of: `ETCD_BIN`, the PATH, the cache, the official release, Debian's package.
 *
 * @param line a line of {@link KNOWN_LINES}; left out, whichever there is, 3.5 before others
 */
export async function etcdBinary(line?: string): Promise<string | null> {
  const resolved = resolvedBinaries();
  if (resolved) {
    return (line === undefined ? anyOf(resolved) : resolved[line]) ?? null;
  }
  if (line !== undefined) return lookOnce(line);
  return (await installedBinaries())[0]?.path ?? lookOnce(DEFAULT_LINE);
}

/** The lines that can be had, oldest first; looked for, and fetched, once a process. */
export async function availableEtcdLines(): Promise<string[]> {
  return Object.keys(resolvedBinaries() ?? (await resolveEtcdBinaries()));
}

/** Looks for, and fetches, every wanted line: the server of each that can be had. */
export async function resolveEtcdBinaries(): Promise<Record<string, string>> {
  const binaries: Record<string, string> = {};
  const lines = await wantedEtcdLines();
  const paths = await Promise.all(lines.map(lookOnce));
  lines.forEach((line, index) => {
    const path = paths[index];
    if (path) binaries[line] = path;
  });
  if (Object.keys(binaries).length > 0) return binaries;

  // A server of a line that the tests do not know is better than none.
  const [installed] = await installedBinaries();
  return installed ? { [lineOfVersion(installed.version)]: installed.path } : {};
}

/** The server of a line; throws, saying why, where none can be had. */
export async function requireEtcd(line?: string): Promise<string> {
  const binary = await etcdBinary(line);
  if (binary) return binary;
  const reasons = reasonsByLine.get(line ?? DEFAULT_LINE) ?? [];
  throw new Error(
    `No etcd ${line ?? 'server'} can be had: ${reasons.join('; ') || 'see the start of the run'}. ` +
      'Set ETCD_BIN to the path of an etcd server.',
  );
}

/**
 * The lines that a run is about: all, unless `ETCD_LINES` (separated by commas) names some, or `ETCD_BIN`
 * names one server.
 */
export async function wantedEtcdLines(): Promise<string[]> {
  const named = process.env['ETCD_LINES'];
  if (named) {
    return named
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
  }
  const [installed] = process.env['ETCD_BIN'] ? await installedBinaries() : [];
  return installed ? [lineOfVersion(installed.version)] : KNOWN_LINES.map((line) => line.name);
}

function resolvedBinaries(): Record<string, string> | null {
  const json = process.env[RESOLVED_ENV];
  return json ? (JSON.parse(json) as Record<string, string>) : null;
}

function anyOf(binaries: Record<string, string>): string | undefined {
  return binaries[DEFAULT_LINE] ?? Object.values(binaries).at(-1);
}

function lookOnce(line: string): Promise<string | null> {
  let promise = found.get(line);
  if (!promise) found.set(line, (promise = look(line)));
  return promise;
}

async function look(name: string): Promise<string | null> {
  const line = KNOWN_LINES.find((known) => known.name === name);
  const reasons: string[] = [];
  reasonsByLine.set(name, reasons);

  for (const candidate of await installedBinaries()) {
    if (lineOfVersion(candidate.version) === name) return candidate.path;
  }
  if (!line) {
    reasons.push(`no installed etcd is of the line ${name}`);
    return null;
  }
  if (await etcdVersion(cachedBinary(name))) return cachedBinary(name);
  if (process.env['ETCD_OFFLINE']) {
    reasons.push('ETCD_OFFLINE forbids to fetch it');
    return null;
  }
  for (const unpack of [unpackOfficialRelease, unpackDebianPackages]) {
    try {
      return await fillCache(name, (root) => unpack(knownLine(name), root));
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  return null;
}

/** `ETCD_BIN` and what the PATH holds. */
async function installedBinaries(): Promise<{ path: string; version: string }[]> {
  const paths: string[] = [];
  const named = process.env['ETCD_BIN'];
  if (named) paths.push(named);
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'etcd');
    if (folder && (await executable(path))) paths.push(path);
  }
  const versions = await Promise.all(paths.map(etcdVersion));
  if (named && !versions[0]) {
    throw new Error(`ETCD_BIN names ${named}, and that is not an etcd server that runs here.`);
  }
  return paths.flatMap((path, index) => {
    const version = versions[index];
    return version ? [{ path, version }] : [];
  });
}

async function executable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
