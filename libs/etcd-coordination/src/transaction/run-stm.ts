import { pause, type MonotonicClock } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { retryDelay } from '../client/retry-delay.js';
import type { Committer } from './committer.js';
import type { ConflictTurns, Turn } from './conflict-turns.js';
import type { FenceGuard } from './fence-guard.js';
import type { Prefetched } from './snapshot-reader.js';
import { isOutdated, StmAttempt } from './stm-attempt.js';
import type { TransactionKeys } from './transaction-keys.js';
import type { ReadStmOptions } from './transaction-options.js';
import { TransactionConflictError } from './transaction.errors.js';
import type { Transaction } from './transaction.js';

/** Pauses between attempts: others need about a millisecond to get out of the way. */
const BACK_OFF = { initialDelayMs: 2, maxDelayMs: 250 };

/** What transactions of a connection have in common. */
export interface TransactionGround {
  readonly client: EtcdClient;
  readonly keys: TransactionKeys;
  readonly committer: Committer;
  readonly turns: ConflictTurns;
}

/** What came of a transaction in the end. */
export interface StmResult<T> {
  readonly value: T;
  /** The revision of its commit; null if there was nothing to send. */
  readonly revision: bigint | null;
  readonly attempts: number;
}

/** The function of a transaction. */
export type StmWork<T> = (transaction: Transaction) => T | Promise<T>;

/** Why an attempt did not commit. */
interface Conflict {
  readonly changed: readonly { readonly id: string; readonly name: string }[];
  readonly prefetched: Prefetched | null;
  readonly cause?: unknown;
}

type Attempted<T> = { readonly value: T; readonly revision: bigint | null } | Conflict;

/**
 * Software transactional memory, as etcd's `concurrency.STM`: runs `work` against what stands,
 * sends what it writes on condition that this has not changed, and runs it anew if it has.
 *
 * Beyond that: a failed commit brings the new values with it, so that the first retry needs no
 * further call; later ones wait, with full jitter, and read anew; and those of one process that
 * meet at a key take turns there.
 */
export async function runStm<T>(
  ground: TransactionGround,
  guard: FenceGuard,
  work: StmWork<T>,
  options: ReadStmOptions,
): Promise<StmResult<T>> {
  const run = new StmRun(ground, guard, work, options);
  try {
    return await run.toEnd();
  } finally {
    run.leave();
  }
}

/** One transaction through all its attempts. */
class StmRun<T> {
  private turn: Turn | null = null;

  constructor(
    private readonly ground: TransactionGround,
    private readonly guard: FenceGuard,
    private readonly work: StmWork<T>,
    private readonly options: ReadStmOptions,
  ) {}

  async toEnd(): Promise<StmResult<T>> {
    const { maxAttempts, signal } = this.options;
    let prefetched: Prefetched | null = null;
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      this.guard.assertValid();
      const outcome: Attempted<T> = await this.attempt(prefetched);
      if ('value' in outcome) return { ...outcome, attempts: attempt };
      if (attempt >= maxAttempts) {
        const names = outcome.changed.map(({ name }) => name);
        throw new TransactionConflictError(names, attempt, outcome.cause);
      }
      prefetched = await this.before(attempt + 1, outcome);
    }
  }

  /** Lets the next of this process have its turn. */
  leave(): void {
    this.turn?.release();
    this.turn = null;
  }

  private async attempt(prefetched: Prefetched | null): Promise<Attempted<T>> {
    const { guard, work, options } = this;
    const { client, keys, committer } = this.ground;
    const run = new StmAttempt(client, keys, options.isolation, prefetched, (id) =>
      this.beforeFirst(id),
    );
    const worked = await settle(work, run);
    try {
      await run.end();
    } catch (error) {
      if (isOutdated(error)) return { changed: [], prefetched: null, cause: error };
      throw error;
    }
    if ('error' in worked) throw worked.error;
    const { value } = worked;
    const plan = run.plan(guard.count > 0);
    if (!plan) return { value, revision: null };
    options.signal?.throwIfAborted();
    const outcome = await committer.commit(plan, guard);
    if (outcome.applied) return { value, revision: outcome.revision };
    const { reads, revision } = outcome;
    if (!reads) return { changed: [], prefetched: null };
    return { changed: run.changed(reads), prefetched: run.prefetched(reads, revision) };
  }

  /** Where others take turns already, this one does so from the beginning. */
  private beforeFirst(id: string): Promise<void> | null {
    const { turns } = this.ground;
    if (this.turn || !turns.isContended(id)) return null;
    return this.takeTurn(id);
  }

  /** Gets ready for another attempt; gives what it need not read if no time has passed. */
  private async before(attempt: number, conflict: Conflict): Promise<Prefetched | null> {
    const [id] = conflict.changed.map((changed) => changed.id).sort();
    if (id !== undefined && this.turn?.id !== id) {
      this.leave();
      await this.takeTurn(id);
      return this.turn!.hasWaited ? null : conflict.prefetched;
    }
    // Others come from other processes. Whoever was first is done by now, and what it wrote is known.
    if (attempt === 2 && conflict.prefetched) return conflict.prefetched;
    await backOff(this.ground.client.clock, attempt - 1, this.options.signal);
    return null;
  }

  private async takeTurn(id: string): Promise<void> {
    this.turn = await this.ground.turns.take(id);
  }
}

async function settle<T>(
  work: StmWork<T>,
  run: Transaction,
): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work(run) };
  } catch (error) {
    return { error };
  }
}

async function backOff(
  clock: MonotonicClock,
  attempt: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await pause(clock, retryDelay(attempt, BACK_OFF), signal);
  } catch {
    signal!.throwIfAborted();
  }
}
