import type { IEvent, IKeyValue, IRangeRequest, ITxnRequest, ITxnResponse } from 'etcd3';
import { systemClock } from '../../libs/etcd-coordination/src/client/clock.js';
import { DEFAULT_TIMEOUTS } from '../../libs/etcd-coordination/src/client/client-options.js';
import type { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import {
  LeaseNotFoundError,
  WriteOutcomeUnknownError,
} from '../../libs/etcd-coordination/src/client/etcd.errors.js';
import type { RangeWatchHandlers } from '../../libs/etcd-coordination/src/watch/range-watch.js';
import type { WatchHub } from '../../libs/etcd-coordination/src/watch/watch-hub.js';

/**
 * What becomes of a transaction.
 *
 * - `answered`: it is applied
 * - `lost`: it is applied, and its answer is lost
 * - `dropped`: it is not applied, and nobody knows
 * - `late`: the same at first, but it is applied by {@link FakeKv.deliver}
 * - an error: it is refused with that
 */
export type Fate = 'answered' | 'lost' | 'dropped' | 'late' | Error;

type Operation = NonNullable<ITxnRequest['success']>[number];
type Compare = NonNullable<ITxnRequest['compare']>[number];

/** What one transaction will do. All comparisons are made before the first write, as etcd does. */
interface Plan {
  readonly succeeded: boolean;
  readonly steps: readonly { readonly operation: Operation; readonly nested: Plan | null }[];
}

/** The keys, transactions and watches of one etcd, in memory, which does as the test says. */
export class FakeKv {
  readonly kvs = new Map<string, IKeyValue>();
  revision = 10;
  clusterId = '1';
  /** What is to become of the next transactions; those after them are answered. */
  readonly fates: Fate[] = [];
  /** What each transaction would have written, as `put` or `delete` and the key. */
  readonly asked: string[][] = [];
  /** Leases that are not there. */
  readonly goneLeases = new Set<string>();
  /** Whether watches are told only by {@link tell}. */
  lags = false;
  private readonly late: ITxnRequest[] = [];
  private readonly watches = new Set<RangeWatchHandlers>();
  private untold: IEvent[][] = [];

  get client(): EtcdClient {
    return {
      clock: systemClock,
      options: { connection: 'test', timeouts: DEFAULT_TIMEOUTS },
      isClosed: false,
      txn: (request: ITxnRequest) => this.txn(request),
      range: async (request: IRangeRequest) => this.range(request),
    } as unknown as EtcdClient;
  }

  get hub(): WatchHub {
    const watch = (_range: unknown, _from: unknown, handlers: RangeWatchHandlers) => {
      this.watches.add(handlers);
      queueMicrotask(() => handlers.standing(BigInt(this.revision), false, this.clusterId));
      return { cancel: () => this.watches.delete(handlers) };
    };
    return { watch } as unknown as WatchHub;
  }

  /** Somebody else's put. */
  put(key: string, value: string, lease = '0'): void {
    const request_put = { key: Buffer.from(key), value: Buffer.from(value), lease };
    this.apply({ compare: [], success: [{ request_put }], failure: [] });
  }

  /** Somebody else's deletion. */
  delete(key: string): void {
    const request_delete_range = { key: Buffer.from(key) };
    this.apply({ compare: [], success: [{ request_delete_range }], failure: [] });
  }

  /** Applies what was sent long ago. */
  deliver(): void {
    for (const request of this.late.splice(0)) this.apply(request);
  }

  /** Tells the watches together of so many revisions, or of all, that they have not been told. */
  tell(revisions = Infinity): void {
    const events = this.untold.splice(0, revisions).flat();
    if (events.length > 0) for (const watch of [...this.watches]) watch.events(events);
  }

  /** The connection of all watches breaks; those that stand again go on from where they were. */
  interrupt(): void {
    for (const watch of [...this.watches]) watch.interrupted?.();
    for (const watch of [...this.watches]) {
      watch.standing(BigInt(this.revision), true, this.clusterId);
    }
  }

  /** Refuses all watches. */
  refuse(error: Parameters<RangeWatchHandlers['refused']>[0]): void {
    for (const watch of [...this.watches]) watch.refused(error);
  }

  /** The database is another one, with those keys. */
  restore(clusterId: string, revision: number, kvs: ReadonlyMap<string, IKeyValue>): void {
    this.clusterId = clusterId;
    this.revision = revision;
    const entries = [...kvs];
    this.kvs.clear();
    for (const [key, kv] of entries) this.kvs.set(key, kv);
    for (const watch of [...this.watches]) watch.standing(BigInt(revision), true, clusterId);
  }

  private async txn(request: ITxnRequest): Promise<ITxnResponse> {
    this.asked.push(writesOf(request));
    const fate = this.fates.shift() ?? 'answered';
    await Promise.resolve();
    if (fate instanceof Error) throw fate;
    if (fate === 'late') this.late.push(request);
    const answer = fate === 'answered' || fate === 'lost' ? this.apply(request) : null;
    if (fate === 'answered') return answer!;
    throw new WriteOutcomeUnknownError('KV.txn', 'the connection broke');
  }

  private apply(request: ITxnRequest): ITxnResponse {
    const plan = this.plan(request);
    const events: IEvent[] = [];
    const answer = this.run(plan, `${this.revision + 1}`, events);
    if (events.length > 0) {
      this.revision += 1;
      this.untold.push(events);
      if (!this.lags) this.tell();
    }
    const header = { revision: `${this.revision}`, cluster_id: this.clusterId };
    return { header, ...answer } as unknown as ITxnResponse;
  }

  private plan({ compare = [], success = [], failure = [] }: ITxnRequest): Plan {
    const succeeded = compare.every((one) => this.holds(one));
    const steps = (succeeded ? success : failure).map((operation) => {
      const { request_txn, request_put } = operation;
      const lease = request_put?.lease?.toString();
      if (lease && this.goneLeases.has(lease)) throw new LeaseNotFoundError('KV.txn');
      return { operation, nested: request_txn ? this.plan(request_txn) : null };
    });
    return { succeeded, steps };
  }

  private run({ succeeded, steps }: Plan, revision: string, events: IEvent[]): object {
    const responses = steps.map(({ operation, nested }) => {
      const { request_put: put, request_delete_range: deletion, request_range: range } = operation;
      if (nested) return { response_txn: this.run(nested, revision, events) };
      if (range) return { response_range: this.range(range) };
      const key = String((put ?? deletion)!.key);
      const before = this.kvs.get(key);
      if (put) {
        const kv: IKeyValue = {
          key: Buffer.from(key),
          value: put.value as Buffer,
          create_revision: before?.create_revision ?? revision,
          mod_revision: revision,
          version: `${Number(before?.version ?? 0) + 1}`,
          lease: String(put.lease ?? '0'),
        };
        this.kvs.set(key, kv);
        events.push({ type: 'Put', kv } as unknown as IEvent);
      } else if (this.kvs.delete(key)) {
        const kv = { key: Buffer.from(key), value: Buffer.alloc(0), mod_revision: revision };
        events.push({ type: 'Delete', kv } as unknown as IEvent);
      }
      return {};
    });
    return { succeeded, responses };
  }

  private holds(compare: Compare): boolean {
    const range = compare as unknown as { key: Buffer; range_end?: Buffer };
    const found = this.inRange(range);
    const { target } = compare;
    if (target === 'Value') {
      return found.length > 0 && found.every((kv) => kv.value.equals(compare.value as Buffer));
    }
    const of = target === 'Create' ? 'create_revision' : 'mod_revision';
    const states = found.length > 0 ? found.map((kv) => kv[of]) : ['0'];
    return states.every((state) => state === String(compare[of]));
  }

  private range({ key, range_end, limit, sort_target }: IRangeRequest) {
    let kvs = this.inRange({ key: key as Buffer, range_end });
    if (sort_target === 'Create') {
      kvs.sort((a, b) => Number(a.create_revision) - Number(b.create_revision));
    }
    if (limit) kvs = kvs.slice(0, Number(limit));
    const header = { revision: `${this.revision}`, cluster_id: this.clusterId };
    return { kvs, more: false, header };
  }

  private inRange({ key, range_end: end }: { key: Buffer; range_end?: Buffer | undefined }) {
    const kvs = [...this.kvs.values()].sort((a, b) => a.key.compare(b.key));
    if (!end) return kvs.filter((kv) => kv.key.equals(key));
    return kvs.filter((kv) => kv.key.compare(key) >= 0 && kv.key.compare(end) < 0);
  }
}

function writesOf({ success = [] }: ITxnRequest): string[] {
  return success.flatMap(({ request_put: put, request_delete_range: deletion, request_txn }) => {
    if (put) return [`put ${String(put.key)}`];
    if (deletion) return [`delete ${String(deletion.key)}`];
    return request_txn ? writesOf(request_txn) : [];
  });
}
