import type { Etcd3, IKeyValue } from 'etcd3';

/** A JSON value as etcd had it, with what a transaction needs to notice that it has changed since. */
export interface Versioned<T> {
  readonly key: string;
  readonly value: T;
  /** The revision of the last change. Kept as text, as etcd's 64 bits do not fit a number. */
  readonly modRevision: string;
  /** The revision at which the key came to be. */
  readonly createRevision: string;
  /** How often the key was written since. */
  readonly version: number;
}

export function toVersioned<T>(kv: IKeyValue): Versioned<T> {
  return {
    key: kv.key.toString(),
    value: JSON.parse(kv.value.toString()) as T,
    modRevision: kv.mod_revision,
    createRevision: kv.create_revision,
    version: Number(kv.version),
  };
}

/** Reads one key, or null where there is none. */
export async function readVersioned<T>(etcd: Etcd3, key: string): Promise<Versioned<T> | null> {
  const [kv] = (await etcd.get(key).exec()).kvs;
  return kv ? toVersioned<T>(kv) : null;
}

/** Reads all keys under `prefix`, oldest first. */
export async function listVersioned<T>(
  etcd: Etcd3,
  prefix: string,
  limit = 0,
): Promise<Versioned<T>[]> {
  const { kvs } = await etcd.getAll().prefix(prefix).sort('Create', 'Ascend').limit(limit).exec();
  return kvs.map((kv) => toVersioned<T>(kv));
}
