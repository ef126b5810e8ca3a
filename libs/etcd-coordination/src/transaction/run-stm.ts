import { setTimeout as pause } from 'node:timers/promises';
import type { EtcdClient } from '../client/etcd-client.js';
import { retryDelay } from '../client/retry-delay.js';
import type { Committer } from './committer.js';
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
}

/** What came of a transaction in the end. */
export interface StmResult<T> {
  readonly value: T;
  /** The revision of its commit; null if there was nothing to send. */
  readonly revision: bigint | null;
  readonly attempts: number;
}

/** Why an attempt did not commit. */
interface Conflict {
  readonly keys: readonly string[];
  readonly prefetched: Prefetched | null;
  readonly cause?: unknown;
}

type Attempted<T> = { readonly value: T; readonly revision: bigint | null } | Conflict;

/**
 * Software transactional memory, as etcd's `concurrency.STM`: runs `work` against what stands,
 * sends what it writes on condition that this has not changed, and runs it anew if it has.
 *
 * Beyond that: a failed commit brings the new values with it, so the first retry needs no call
 * more; later ones wait, with full jitter, and read anew.
 */
export async function runStm<T>(
  ground: TransactionGround,
  guard: FenceGuard,
  work: (transaction: Transaction) => T | Promise<T>,
  { isolation, maxAttempts, signal }: ReadStmOptions,
): Promise<StmResult<T>> {
  const { client, keys, committer } = ground;
  let prefetched: Prefetched | null = null;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    guard.assertValid();
    const run: StmAttempt = new StmAttempt(client, keys, isolation, prefetched);
    const outcome: Attempted<T> = await attemptOnce(run, committer, guard, work, signal);
    if ('value' in outcome) return { ...outcome, attempts: attempt };
    if (attempt >= maxAttempts) {
      throw new TransactionConflictError(outcome.keys, attempt, outcome.cause);
    }
    // At once the first time: whoever came first is done by now, and what it wrote is known.
    prefetched = attempt === 1 ? outcome.prefetched : null;
    if (!prefetched) await backOff(attempt, signal);
  }
}

async function attemptOnce<T>(
  run: StmAttempt,
  committer: Committer,
  guard: FenceGuard,
  work: (transaction: Transaction) => T | Promise<T>,
  signal: AbortSignal | undefined,
): Promise<Attempted<T>> {
  const worked = await settle(work, run);
  try {
    await run.end();
  } catch (error) {
    if (isOutdated(error)) return { keys: [], prefetched: null, cause: error };
    throw error;
  }
  if ('error' in worked) throw worked.error;
  const { value } = worked;
  const plan = run.plan(guard.count > 0);
  if (!plan) return { value, revision: null };
  signal?.throwIfAborted();
  const outcome = await committer.commit(plan, guard);
  if (outcome.applied) return { value, revision: outcome.revision };
  const { reads, revision } = outcome;
  if (!reads) return { keys: [], prefetched: null };
  return { keys: run.changed(reads), prefetched: run.prefetched(reads, revision) };
}

async function settle<T>(
  work: (transaction: Transaction) => T | Promise<T>,
  run: Transaction,
): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work(run) };
  } catch (error) {
    return { error };
  }
}

async function backOff(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await pause(retryDelay(attempt, BACK_OFF), undefined, signal && { signal });
  } catch {
    signal!.throwIfAborted();
  }
}
