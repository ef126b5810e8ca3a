import type { IKeyValue } from 'etcd3';
import { lockQueuePrefix } from '../../client/keys.js';
import { decodeLockRecord } from '../../lock/lock-record.js';
import { LockService } from '../../lock/lock.service.js';
import { countGranted, lockRule, readQueue } from '../../lock/queue-entry.js';
import type { TestEntry, TestEtcd } from '../etcd/test-etcd.js';
import type { TestInstance } from './test-instance.js';

/** Who stands in the queue of a lock in etcd, by the names of their instances, in their order. */
export interface LockStanding {
  /** Those whose keys have the lock: one, or several who read. */
  readonly granted: readonly string[];
  readonly waiting: readonly string[];
  /** Whether a key keeps it from all but who has it, see `holdAtLeastMs`. */
  readonly withheld: boolean;
}

/** The queue of a lock in the namespace of an instance. */
export function lockStanding(
  instance: TestInstance,
  key: string,
  { etcd, connection }: { readonly etcd: TestEtcd; readonly connection: string },
): LockStanding {
  const prefix = lockQueuePrefix(instance.optionsOf(connection).namespace, key);
  const { entries, held } = readQueue(prefix, etcd.entries(prefix).map(asOnTheWire));
  const names = entries.map(({ kv }) => decodeLockRecord(kv.value).id);
  // Who works under it has it, though its span is kept from the others beside.
  const count = countGranted(entries, false, lockRule);
  return { granted: names.slice(0, count), waiting: names.slice(count), withheld: held };
}

/**
 * Whether work of that instance has the lock. A key may stand longer than that, for the work that
 * comes next (`keep`) or so that others do not get it too early (`holdAtLeastMs`).
 */
export function isHeldBy(instance: TestInstance, key: string, connection: string): boolean {
  return instance.service(LockService, connection).isHeld(key);
}

/** A sentence for people. */
export function tellStanding(
  { granted, waiting, withheld }: LockStanding,
  isHeld: (name: string) => boolean,
): string {
  const others =
    waiting.length > 0 ? `waiting, in this order: ${listed(waiting)}` : 'nobody waits for it';
  const held = granted.filter(isHeld);
  if (held.length > 0) return `held by ${listed(held)}; ${others}.`;
  if (withheld) return `no work holds it, and until its span is over nobody gets it; ${others}.`;
  if (granted.length === 0) return `nobody has it; ${others}.`;
  return `no work holds it, but the key of ${listed(granted)} stands, as with the option keep; ${others}.`;
}

function listed(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

function asOnTheWire({ key, value, createRevision, revision, lease }: TestEntry): IKeyValue {
  return {
    key: Buffer.from(key),
    value: Buffer.from(value),
    create_revision: String(createRevision),
    mod_revision: String(revision),
    version: '1',
    lease: lease ?? '0',
  };
}
