import type {
  ICompare,
  IRangeRequest,
  IRangeResponse,
  IRequestOp,
  ITxnRequest,
  ITxnResponse,
} from 'etcd3';
import { pause, timeoutSignal } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import {
  ClientClosedError,
  EtcdNoSpaceError,
  EtcdUnavailableError,
  LeaseNotFoundError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import { retryDelay } from '../client/retry-delay.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { SessionLease } from '../session/session-lease.js';
import { NO_LEASE, outcomeUnknown, type CommitMark } from './commit-mark.js';
import type { CommitMarks } from './commit-marks.js';
import type { FenceGuard } from './fence-guard.js';
import { NoSessionLeaseError, TransactionTooLargeError } from './transaction.errors.js';

/** etcd's `--max-txn-ops`: so many comparisons, and so many operations, a transaction may have. */
export const MAX_OPERATIONS = 128;

/** What becomes of a key. */
export interface PlannedWrite {
  readonly key: Buffer;
  /** Relative to the namespace, for people. */
  readonly name: string;
  /** Null deletes the key. */
  readonly value: Buffer | null;
  /** An id in decimal, `session`, or null for none. */
  readonly lease: string | null;
}

/** A transaction, less what its fences add. */
export interface CommitPlan {
  /** As the object of "the answer to". */
  readonly what: string;
  readonly compare: readonly ICompare[];
  readonly writes: readonly PlannedWrite[];
  /** What is read, at the same revision, if a comparison fails. */
  readonly reads: readonly IRangeRequest[];
}

/** What came of a transaction. */
export type CommitOutcome =
  | { readonly applied: true; readonly revision: bigint }
  | {
      readonly applied: false;
      /** That at which the comparisons failed. */
      readonly revision: bigint;
      /** The answers to `reads`; null if there was no room for them. */
      readonly reads: readonly IRangeResponse[] | null;
    };

/**
 * Told of a transaction that may yet be applied, for all that is known: `bar` makes sure that it will not
 * be, and rejects if etcd does not answer.
 */
export type WhenUnsettled = (bar: () => Promise<void>) => void;

/** A plan with the leases that its keys go on. */
interface Prepared {
  readonly plan: CommitPlan;
  readonly puts: IRequestOp[];
  readonly usesSession: boolean;
  /** Whether it names leases of which the session knows nothing. */
  readonly usesLeases: boolean;
}

/** What is known in the end, for those who wait until it is. */
type Settled = { readonly outcome: CommitOutcome } | { readonly error: unknown };

/**
 * Sends transactions: each is applied once or not at all, whatever becomes of its answers, and
 * which of the two it was is known in the end, or is said not to be.
 */
export class Committer {
  constructor(
    private readonly client: EtcdClient,
    private readonly marks: CommitMarks,
    private readonly session: EtcdSession | undefined,
  ) {}

  /**
   * Commits. The first request may take `timeouts.write`, as a plain put may; sending, asking what
   * became of it and sending again take twice that at most, in all. A lease of the session that there is
   * not is waited for before, for another `timeouts.write`.
   *
   * @throws TransactionTooLargeError before anything is sent
   * @throws StaleFenceError if a fence does not stand; nothing was written
   * @throws NoSessionLeaseError if a key is to go on a lease that there is not
   * @throws WriteOutcomeUnknownError if the answer was lost and etcd could not be asked since
   */
  async commit(
    plan: CommitPlan,
    guard: FenceGuard,
    whenUnsettled?: WhenUnsettled,
  ): Promise<CommitOutcome> {
    const compared = plan.compare.length + guard.count;
    const written = plan.writes.length;
    if (Math.max(compared, written) > MAX_OPERATIONS) {
      throw new TransactionTooLargeError(compared, written, MAX_OPERATIONS);
    }
    guard.assertValid();
    const onSession = plan.writes.find(({ lease }) => lease === 'session');
    const sessionLease = onSession ? await this.sessionLease(onSession.name) : null;
    const prepared = prepare(plan, sessionLease);
    // Nobody waits for it to be settled.
    if (guard.count === 0) return this.send(prepared, guard, whenUnsettled);
    const settled = await guard.run(() => this.settled(prepared, guard, whenUnsettled));
    if ('error' in settled) throw settled.error;
    return settled.outcome;
  }

  /** Rejects only while the transaction may still be applied. */
  private async settled(
    prepared: Prepared,
    guard: FenceGuard,
    whenUnsettled: WhenUnsettled | undefined,
  ): Promise<Settled> {
    try {
      return { outcome: await this.send(prepared, guard, whenUnsettled) };
    } catch (error) {
      if (error instanceof WriteOutcomeUnknownError || error instanceof ClientClosedError) {
        throw error;
      }
      return { error };
    }
  }

  private async send(
    prepared: Prepared,
    guard: FenceGuard,
    whenUnsettled: WhenUnsettled | undefined,
  ): Promise<CommitOutcome> {
    const { plan } = prepared;
    if (plan.writes.length === 0) {
      const answer = await this.client.txn(requestOf(prepared, guard));
      return outcomeOf(answer, plan, guard);
    }
    // A transaction that is full has no room for a mark.
    const hasRoom =
      plan.compare.length + guard.count < MAX_OPERATIONS && plan.writes.length < MAX_OPERATIONS;
    if (!hasRoom) return this.sendOnce(prepared, guard);
    const mark = this.marks.take();
    try {
      return await this.sendMarked(prepared, guard, mark);
    } catch (error) {
      if (error instanceof WriteOutcomeUnknownError) whenUnsettled?.(() => mark.bar());
      throw error;
    } finally {
      this.marks.giveBack(mark);
    }
  }

  private async sendOnce(prepared: Prepared, guard: FenceGuard): Promise<CommitOutcome> {
    const { plan } = prepared;
    try {
      const answer = await this.client.txn(requestOf(prepared, guard), { repeatable: false });
      return outcomeOf(answer, plan, guard);
    } catch (error) {
      const isUnknown =
        error instanceof WriteOutcomeUnknownError || error instanceof EtcdNoSpaceError;
      throw isUnknown ? outcomeUnknown(plan.what, error) : this.explained(error, plan);
    }
  }

  private async sendMarked(
    prepared: Prepared,
    guard: FenceGuard,
    mark: CommitMark,
  ): Promise<CommitOutcome> {
    const { plan } = prepared;
    const { timeouts, retry } = this.client.options;
    const { clock } = this.client;
    const end = clock.now() + 2 * timeouts.write;
    let lease: SessionLease | null = this.session?.lease ?? null;
    for (let attempt = 1; ; attempt++) {
      guard.assertValid();
      // What is left after an answer that stays away is for asking what became of it.
      const timeoutMs = Math.min(timeouts.write, (end - clock.now()) / 2);
      const markLease = lease?.id ?? NO_LEASE;
      let lost: WriteOutcomeUnknownError;
      try {
        const request = requestOf(prepared, guard, mark, markLease);
        const answer = await this.client.txn(request, { repeatable: false, timeoutMs });
        if (answer.succeeded) mark.applied(answer.header.revision);
        else if (mark.wasInTheWay(answer.responses[0]!.response_range.kvs[0])) continue;
        return outcomeOf(answer, plan, guard, 1);
      } catch (error) {
        if (error instanceof ClientClosedError) mark.retire();
        if (error instanceof EtcdNoSpaceError) {
          const revision = await mark.look(plan.what, end);
          if (revision === null) {
            // A mark that ended with its lease looks like one that was never put.
            if (lease?.isValid() === false) {
              mark.retire();
              throw outcomeUnknown(plan.what, error);
            }
            // A full database takes no mark, but lets keys go.
            if (plan.writes.every(({ value }) => value === null)) {
              return this.sendOnce(prepared, guard);
            }
            throw error;
          }
          return { applied: true, revision: BigInt(revision) };
        }
        if (error instanceof LeaseNotFoundError && lease) {
          // Refused before it was applied. The mark does without; the user's keys cannot.
          if (!prepared.usesLeases) this.session!.reportGone(lease);
          lease = null;
          if (!prepared.usesSession) continue;
        }
        if (!(error instanceof WriteOutcomeUnknownError)) throw this.explained(error, plan);
        lost = error;
      }
      const revision = await mark.settle(plan.what, markLease, end);
      if (revision !== null) return { applied: true, revision: BigInt(revision) };
      const delay = retryDelay(attempt, retry);
      if (attempt >= retry.maxAttempts || clock.now() + delay >= end) {
        const detail = 'the answer was lost, and etcd says that nothing was written';
        throw new EtcdUnavailableError(plan.what, detail, lost.cause);
      }
      await pause(clock, delay);
    }
  }

  private async sessionLease(name: string): Promise<string> {
    const { session, client } = this;
    if (!session) throw new NoSessionLeaseError(name);
    try {
      return (await session.ready(timeoutSignal(client.clock, client.options.timeouts.write))).id;
    } catch (error) {
      throw new NoSessionLeaseError(name, error);
    }
  }

  private explained(error: unknown, plan: CommitPlan): unknown {
    const onSession = plan.writes.find(({ lease }) => lease === 'session');
    if (!(error instanceof LeaseNotFoundError) || !onSession) return error;
    return new NoSessionLeaseError(onSession.name, error);
  }
}

/** @param sessionLease that of the session, null if no key goes on it */
function prepare(plan: CommitPlan, sessionLease: string | null): Prepared {
  const puts: IRequestOp[] = [];
  let usesLeases = false;
  for (const { key, value, lease } of plan.writes) {
    if (value === null) {
      puts.push({ request_delete_range: { key } });
      continue;
    }
    usesLeases ||= lease !== null && lease !== 'session';
    const id = lease === 'session' ? sessionLease : lease;
    puts.push({ request_put: id === null ? { key, value } : { key, value, lease: id } });
  }
  return { plan, puts, usesSession: sessionLease !== null, usesLeases };
}

/** The transaction as etcd takes it. Who failed is told by the mark first, then the fences, then the rest. */
function requestOf(
  { plan, puts }: Prepared,
  guard: FenceGuard,
  mark?: CommitMark,
  lease = NO_LEASE,
): ITxnRequest {
  const compare = mark ? [mark.compare()] : [];
  const failure = mark ? [mark.read()] : [];
  compare.push(...guard.compares(), ...plan.compare);
  failure.push(...guard.reads());
  if (failure.length + plan.reads.length <= MAX_OPERATIONS) {
    for (const request_range of plan.reads) failure.push({ request_range });
  }
  return { compare, success: mark ? [...puts, mark.put(lease)] : puts, failure };
}

/** @throws StaleFenceError */
function outcomeOf(
  { succeeded, header, responses }: ITxnResponse,
  plan: CommitPlan,
  guard: FenceGuard,
  skipped = 0,
): CommitOutcome {
  const revision = BigInt(header.revision);
  if (succeeded) return { applied: true, revision };
  guard.assertStands(responses.slice(skipped));
  const reads = responses.slice(skipped + guard.count);
  return {
    applied: false,
    revision,
    reads: reads.length < plan.reads.length ? null : reads.map((r) => r.response_range),
  };
}
