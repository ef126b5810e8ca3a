import { hostname } from 'node:os';

/** What one process of a demo service is told by its environment. */
export interface DemoSettings {
  /** `demo-orders` or `demo-inventory`. */
  readonly service: string;
  /** This process's name in the election: `INSTANCE_ID`, or one that is made up. */
  readonly instanceId: string;
  /** `HOST`, default 127.0.0.1. */
  readonly host: string;
  /** `PORT`. */
  readonly port: number;
  /** `ADDRESS`: where the others reach this process, default `http://<HOST>:<PORT>`. */
  readonly address: string;
  /** `ZONE`: where this process runs, such as `a`; calls stay in it while they can. Null for nowhere in particular. */
  readonly zone: string | null;
  /** `ETCD_ENDPOINTS`, separated by commas, default 127.0.0.1:2379. */
  readonly endpoints: readonly string[];
  /** `DEMO_PREFIX`: everything that the demo keeps in etcd lies under it. Default `demo`. */
  readonly prefix: string;
  /** `SESSION_TTL` in seconds, default 10. */
  readonly ttlSeconds: number;
  /** `TRACK`, such as `canary`: a label that staged releases can be aimed at. Default `stable`. */
  readonly track: string;
  /** `CONFIG_SNAPSHOT`: the file with the last good configuration, for a start without etcd, with the services that are known beside it; null for none. */
  readonly snapshot: SnapshotSettings | null;
  /** `DEMO=1` opens `/demo/freeze`, `/demo/hold`, `/demo/recommender` and `/demo/unwell`, which break this process on purpose. */
  readonly demo: boolean;
}

/** Where the last good configuration is kept. */
export interface SnapshotSettings {
  readonly file: string;
  /** `CONFIG_SNAPSHOT_KEY`, 64 hexadecimal digits: encrypts the file. */
  readonly encryptionKey?: string;
}

export const DEMO_SETTINGS = Symbol('DEMO_SETTINGS');

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const KEY_PATTERN = /^[0-9a-f]{64}$/i;

/**
 * Reads the settings of `service` from `env`.
 * @throws Error naming the variable that is wrong and what it should be.
 */
export function readSettings(
  service: string,
  defaultPort: number,
  env: NodeJS.ProcessEnv = process.env,
): DemoSettings {
  const prefix = plainName('DEMO_PREFIX', env.DEMO_PREFIX, 'demo');
  const host = env.HOST || '127.0.0.1';
  const port = wholeNumber('PORT', env.PORT, defaultPort, 1, 65_535);
  return {
    service,
    instanceId: env.INSTANCE_ID || `${service}-${hostname()}-${process.pid}`,
    host,
    port,
    address: env.ADDRESS || `http://${host}:${port}`,
    zone: env.ZONE ? plainName('ZONE', env.ZONE, '') : null,
    endpoints: list(env.ETCD_ENDPOINTS || '127.0.0.1:2379'),
    prefix,
    ttlSeconds: wholeNumber('SESSION_TTL', env.SESSION_TTL, 10, 1, 3600),
    track: plainName('TRACK', env.TRACK, 'stable'),
    snapshot: snapshotSettings(env.CONFIG_SNAPSHOT, env.CONFIG_SNAPSHOT_KEY),
    demo: env.DEMO === '1',
  };
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function plainName(name: string, text: string | undefined, fallback: string): string {
  const value = text || fallback;
  if (NAME_PATTERN.test(value)) return value;
  throw new Error(`${name} is "${value}": use letters, digits, ".", "_" and "-" only.`);
}

function snapshotSettings(
  file: string | undefined,
  encryptionKey: string | undefined,
): SnapshotSettings | null {
  if (!encryptionKey) return file ? { file } : null;
  if (!file) {
    throw new Error('CONFIG_SNAPSHOT_KEY is given, and CONFIG_SNAPSHOT names no file to encrypt.');
  }
  if (KEY_PATTERN.test(encryptionKey)) return { file, encryptionKey };
  // What it is is not for a log.
  throw new Error(
    `CONFIG_SNAPSHOT_KEY has ${encryptionKey.length} characters: it must be 64 hexadecimal digits, as of "openssl rand -hex 32".`,
  );
}

function wholeNumber(
  name: string,
  text: string | undefined,
  fallback: number,
  least: number,
  most: number,
): number {
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`${name} is "${text}": it must be a whole number from ${least} to ${most}.`);
}
