import { status } from '@grpc/grpc-js';
import { type CutDirection, EmbeddedDoor } from '../../embedded/door/embedded-door.js';
import { EtcdCore } from '../../embedded/etcd-core.js';
import { EtcdStatus } from '../../embedded/etcd-status.js';
import { NO_LEASE, toBytes, toKey } from '../../embedded/store/key-value.js';
import { prefixRange } from '../../watch/key-range.js';
import { TestingUsageError } from '../testing.errors.js';
import type { TestTime } from '../time/test-time.js';

export type { CutDirection };

/** Far beyond any test: progress is asked for here, not awaited. */
const PROGRESS_INTERVAL_MS = 600_000;

const EVERYTHING = { key: Buffer.alloc(0), rangeEnd: Buffer.alloc(0) };

/** A key as it stands in a test's etcd. */
export interface TestEntry {
  readonly key: string;
  readonly value: string;
  /** The revision at which it was created; the fencing token of a grant. */
  readonly createRevision: bigint;
  readonly revision: bigint;
  /** The lease that it is on, as etcd's API writes it; null if none. */
  readonly lease: string | null;
}

/**
 * The etcd of a test, inside this process. What is done here happens at once, without a call, and is
 * seen by everybody: one member that all instances share, each by a way of its own.
 */
export class TestEtcd {
  private readonly core: EtcdCore;
  private readonly doors = new Set<EmbeddedDoor>();
  private operator: EmbeddedDoor | null = null;
  private away = false;

  /** @internal */
  constructor(
    private readonly time: TestTime,
    /** The connection whose etcd it is. */
    readonly connection: string,
  ) {
    this.core = new EtcdCore(time, PROGRESS_INTERVAL_MS);
  }

  /** The revision of the last write. */
  get revision(): bigint {
    return BigInt(this.core.store.revision);
  }

  /** Where a client of the test's own reaches it, such as `http://127.0.0.1:2379`. No fault concerns it. */
  get endpoint(): string {
    return this.operator!.endpoint;
  }

  /** What stands under a prefix, by whole keys; by default all there is. */
  entries(prefix = ''): readonly TestEntry[] {
    const { key, rangeEnd } = prefix === '' ? EVERYTHING : prefixRange(prefix);
    return this.core.store
      .read({ from: toKey(key), to: toKey(rangeEnd!) })
      .kvs.map(({ key: name, value, createRevision, modRevision, lease }) => ({
        key: toBytes(name).toString(),
        value: value.toString(),
        createRevision: BigInt(createRevision),
        revision: BigInt(modRevision),
        lease: lease === NO_LEASE ? null : lease.toString(),
      }));
  }

  /** The value of a key, or null. */
  get(key: string): string | null {
    const { kvs } = this.core.store.read({ from: toKey(Buffer.from(key)), to: null });
    return kvs[0]?.value.toString() ?? null;
  }

  /** Writes a key, as an operator does by `etcdctl put`. Gives the revision of the write. */
  put(key: string, value: string | Buffer): bigint {
    this.core.store.write((transaction) =>
      transaction.put(toKey(Buffer.from(key)), Buffer.from(value as string), NO_LEASE),
    );
    return this.revision;
  }

  /** Deletes all keys that begin with `prefix`, as `etcdctl del --prefix` does. Gives their number. */
  deletePrefix(prefix: string): number {
    const keys = this.entries(prefix).map(({ key }) => toKey(Buffer.from(key)));
    this.core.store.write((transaction) => {
      for (const key of keys) transaction.deleteRange({ from: key, to: null });
    });
    return keys.length;
  }

  /** Forgets all history before `revision`; by default before the present one. */
  compact(revision: bigint = this.revision): void {
    try {
      this.core.store.compact(Number(revision));
    } catch (error) {
      if (!(error instanceof EtcdStatus)) throw error;
      throw new TestingUsageError(
        `Cannot compact at revision ${revision}: ${error.details}. The present revision is ${this.revision}.`,
      );
    }
  }

  /**
   * The cluster loses its leader and has another one at once: every stream ends as etcd ends it then,
   * and every lease begins its time anew.
   */
  changeLeader(): void {
    this.core.lessor.renewAll();
    for (const door of this.doors) {
      door.endStreams(new EtcdStatus(status.UNAVAILABLE, 'etcdserver: no leader'));
    }
  }

  /** The whole of etcd is away: streams end, calls are refused. Time goes on for its leases. */
  goAway(): void {
    this.away = true;
    for (const door of this.doors) door.setAway(true);
  }

  /** It is back, as it was but for what has expired. */
  comeBack(): void {
    this.away = false;
    for (const door of this.doors) door.setAway(false);
  }

  /** @internal Ends a lease, as if its time were over. Says whether it stood. */
  expire(lease: string): boolean {
    const id = BigInt(lease);
    if (!this.core.lessor.has(id)) return false;
    this.core.lessor.revoke(id);
    return true;
  }

  /** @internal */
  async open(): Promise<this> {
    this.operator = await this.newDoor();
    return this;
  }

  /** @internal A way to it that only one instance goes. */
  async openDoor(): Promise<EmbeddedDoor> {
    const door = await this.newDoor();
    door.setAway(this.away);
    this.doors.add(door);
    return door;
  }

  /** @internal */
  async close(): Promise<void> {
    this.core.close();
    await Promise.all([...this.doors].map((door) => door.close()));
    await this.operator?.close();
  }

  private async newDoor(): Promise<EmbeddedDoor> {
    const door: EmbeddedDoor = new EmbeddedDoor(this.core.services(() => door.endpoint));
    await door.listen();
    return door;
  }
}
