import { rawEtcd } from './raw-etcd.js';

/** What an operator does to a cluster, each in one call. Keys are whole keys, no namespace is added. */

/** A user whose only role may read and write one prefix. */
export interface TestUser {
  readonly name: string;
  readonly password: string;
  /** The prefix that it may read and write; left out, everything (the role root). */
  readonly prefix?: string;
}

/** `--auth-token-ttl` in seconds, for `extraArgs`; etcd 3.5 and later know it. */
export function authTokenTtl(seconds: number): string[] {
  return ['--auth-token', 'simple', '--auth-token-ttl', `${seconds}`];
}

/** Adds a root user with this password, and the users, and turns authentication on. */
export async function enableAuth(
  endpoint: string,
  rootPassword: string,
  users: readonly TestUser[] = [],
): Promise<void> {
  using etcd = rawEtcd(endpoint);
  const { auth } = etcd.client;
  await auth.roleAdd({ name: 'root' });
  for (const user of [{ name: 'root', password: rootPassword }, ...users] as TestUser[]) {
    await auth.userAdd({
      name: user.name,
      password: user.password,
      options: { no_password: false },
    });
    const role = user.prefix === undefined ? 'root' : `of-${user.name}`;
    if (user.prefix !== undefined) {
      const key = Buffer.from(user.prefix);
      await auth.roleAdd({ name: role });
      await auth.roleGrantPermission({
        name: role,
        perm: { permType: 'Readwrite', key, range_end: prefixEnd(key) },
      });
    }
    await auth.userGrantRole({ user: user.name, role });
  }
  await auth.authEnable();
}

/** Compacts the history up to now, or to the revision given; answers with that revision. */
export async function compact(endpoint: string, revision?: bigint): Promise<bigint> {
  using etcd = rawEtcd(endpoint);
  const at = revision ?? (await currentRevision(endpoint));
  await etcd.client.kv.compact({ revision: at.toString(), physical: true });
  return at;
}

/** The store's revision, read with a quorum. */
export async function currentRevision(endpoint: string): Promise<bigint> {
  using etcd = rawEtcd(endpoint);
  const { header } = await etcd.client.kv.range({ key: Buffer.from([0]), limit: 1 });
  return BigInt(header.revision);
}

/** The keys under a prefix with their values, in the order of their creation. */
export async function keysUnder(
  endpoint: string,
  prefix: string,
): Promise<{ key: string; value: string; createRevision: bigint; lease: string }[]> {
  using etcd = rawEtcd(endpoint);
  const key = Buffer.from(prefix);
  const { kvs } = await etcd.client.kv.range({
    key,
    range_end: prefixEnd(key),
    sort_order: 'Ascend',
    sort_target: 'Create',
  });
  return kvs.map((kv) => ({
    key: kv.key.toString(),
    value: kv.value.toString(),
    createRevision: BigInt(kv.create_revision),
    lease: kv.lease,
  }));
}

/** True if the key was there. */
export async function deleteKey(endpoint: string, key: string): Promise<boolean> {
  using etcd = rawEtcd(endpoint);
  const { deleted } = await etcd.client.kv.deleteRange({ key: Buffer.from(key) });
  return deleted !== '0';
}

export async function putKey(endpoint: string, key: string, value: string): Promise<bigint> {
  using etcd = rawEtcd(endpoint);
  const { header } = await etcd.client.kv.put({ key: Buffer.from(key), value: Buffer.from(value) });
  return BigInt(header.revision);
}

/** Revokes a lease behind its holder's back; the id in decimal, as etcd3 gives it. */
export async function revokeLease(endpoint: string, id: string): Promise<void> {
  using etcd = rawEtcd(endpoint);
  await etcd.client.leaseClient.leaseRevoke({ ID: id });
}

/** Every lease that the server knows, decimal, in an order that does not depend on the server. */
export async function leases(endpoint: string): Promise<string[]> {
  using etcd = rawEtcd(endpoint);
  const { leases: known } = await etcd.client.leaseClient.leaseLeases();
  return known.map((lease) => lease.ID).sort();
}

/** The seconds that a lease has left as the server sees it; -1 once it is gone. */
export async function leaseTtl(endpoint: string, id: string): Promise<number> {
  using etcd = rawEtcd(endpoint);
  return Number((await etcd.client.leaseClient.leaseTimeToLive({ ID: id })).TTL);
}

/** The first key after a prefix. */
function prefixEnd(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let index = end.length - 1; index >= 0; index -= 1) {
    const byte = end[index] as number;
    if (byte < 0xff) {
      end[index] = byte + 1;
      return end.subarray(0, index + 1);
    }
  }
  return Buffer.from([0]);
}
