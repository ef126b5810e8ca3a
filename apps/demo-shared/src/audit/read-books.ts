import type { Etcd3 } from 'etcd3';
import type { DemoKeys } from '../data/demo-keys.js';
import { toVersioned } from '../data/versioned.js';
import type { Books } from './audit.js';

/** Reads the whole books in one call, so that all of it is of one revision. */
export async function readBooks(etcd: Etcd3, keys: DemoKeys): Promise<Books> {
  const { kvs } = await etcd.getAll().prefix(keys.root).exec();
  const under = (prefix: string) => kvs.filter(({ key }) => key.toString().startsWith(prefix));
  return {
    orders: under(keys.orders).map((kv) => toVersioned(kv)),
    pending: new Set(
      under(keys.pending).map(({ key }) => key.toString().slice(keys.pending.length)),
    ),
    stock: under(keys.stock).map((kv) => toVersioned(kv)),
    reservations: under(keys.reservations).map((kv) => toVersioned(kv)),
    ledger: under(keys.ledger).map((kv) => toVersioned(kv)),
    trail: under(keys.trail).map((kv) => toVersioned(kv)),
  };
}
