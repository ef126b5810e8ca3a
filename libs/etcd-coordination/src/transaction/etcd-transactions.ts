import type { EtcdClient } from '../client/etcd-client.js';
import type { Fence } from '../context/fence.js';
import type { EtcdSession } from '../session/etcd-session.js';
import { CommitMarks } from './commit-marks.js';
import { Committer } from './committer.js';
import { ConflictTurns } from './conflict-turns.js';
import { FenceGuard } from './fence-guard.js';
import { FencedTransactions } from './fenced-transactions.js';
import { GuardedTransactions } from './guarded-transactions.js';
import { TransactionKeys } from './transaction-keys.js';

/** What transactions are made with. */
export interface TransactionDeps {
  readonly client: EtcdClient;
  /** All keys are relative to it. */
  readonly namespace: string;
  /** On its lease keys can be put; and what this keeps in etcd itself ends with it. */
  readonly session?: EtcdSession;
}

/**
 * Transactions on keys of the namespace: compare-and-set, optimistic updates, software
 * transactional memory, and all of them on condition that a lock or a leadership stands.
 *
 * Each is applied once or not at all: beside what it writes it leaves its name in a key of its
 * own, `<namespace>/transaction/…`, by which it is known again if the answer was lost. A
 * transaction of exactly 128 operations has no room for that; if its answer is lost, it rejects
 * with a WriteOutcomeUnknownError.
 */
export class EtcdTransactions extends GuardedTransactions {
  private readonly marks: CommitMarks;
  private readonly keepsMarks: boolean;

  constructor({ client, namespace, session }: TransactionDeps) {
    const marks = new CommitMarks(client, namespace);
    const committer = new Committer(client, marks, session);
    super(
      {
        client,
        keys: new TransactionKeys(namespace),
        committer,
        turns: new ConflictTurns(client.clock),
      },
      FenceGuard.none,
    );
    this.marks = marks;
    this.keepsMarks = session === undefined;
  }

  /**
   * The same transactions, each committing only while a fence stands, or several. Left out, it is
   * that of the innermost term or lock around the running call.
   *
   * @throws NoFenceError if none is given, and the call stands in no term and no lock
   * @throws InvalidTransactionError for what is no fence
   */
  fenced(fence?: Fence | readonly Fence[]): FencedTransactions {
    return new FencedTransactions(this.ground, FenceGuard.of(fence));
  }

  /** Deletes what this keeps in etcd, unless that ends with the session. Never rejects. */
  async close(): Promise<void> {
    if (!this.keepsMarks) return;
    // Small, and in nobody's way, should it stay.
    await this.marks.clear().catch(() => undefined);
  }
}
