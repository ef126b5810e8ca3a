import type { ITxnRequest } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import type { TxnMerger } from '../client/txn-merger.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { GrantRule } from './queue-entry.js';

/** A comparison of a transaction. */
export type Compare = NonNullable<ITxnRequest['compare']>[number];

/** What tells one queue from the others. */
export interface QueueKind {
  /** The lock's or the semaphore's name. */
  readonly name: string;
  readonly prefix: string;
  readonly rule: GrantRule;
  /** What must be true besides for a key to be put. */
  readonly condition?: {
    /** What a semaphore is asked for with. */
    readonly permits: number;
    readonly compare: Compare;
    /** Makes it true, or throws why it never will be. */
    establish(): Promise<void>;
  };
}

/** Who asks, and of whom. */
export interface Asker {
  readonly client: EtcdClient;
  readonly merger: TxnMerger;
  readonly namespace: string;
  readonly instanceId: string;
}

/** What all queues of a connection stand on. */
export interface QueueGround extends Asker {
  readonly session: EtcdSession;
  readonly watch: WatchHub;
}
