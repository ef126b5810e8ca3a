import type { ICompare, IRequestOp } from 'etcd3';
import { pause } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import {
  ClientClosedError,
  LeaseNotFoundError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import { grpcFailure } from '../client/grpc-failure.js';
import { retryDelay } from '../client/retry-delay.js';

/** As etcd says it of a key that is on none. */
export const NO_LEASE = '0';

/** What stands in a mark after it was settled that a transaction was not applied. Never a name of one. */
const SPENT = Buffer.from('-');

/**
 * One key by which transactions, one at a time, are known again when their answers are lost: each
 * is applied only while the mark is as the one before left it, and leaves its own name in it.
 *
 * So a transaction is applied once at most however often it is sent, and reading the mark tells
 * whether it was; values, which another process may have written just the same, do not.
 */
export class CommitMark {
  /** The revision of the key's last change that is known of; 0 while it is absent. */
  private revision = '0';
  private commits = 0;
  private current: Buffer = SPENT;
  /** That on which the present transaction puts it. */
  private lease = NO_LEASE;
  private retired = false;

  constructor(
    private readonly client: EtcdClient,
    private readonly key: Buffer,
  ) {}

  /** Whether it can tell of another transaction: what became of the last one is known. */
  get isUsable(): boolean {
    return !this.retired;
  }

  /** Begins a transaction of its own name. */
  begin(): void {
    this.current = Buffer.from((this.commits += 1).toString(36));
  }

  /** Holds as long as nothing was written under this mark since. */
  compare(): ICompare {
    return { key: this.key, target: 'Mod', result: 'Equal', mod_revision: this.revision };
  }

  /** Leaves the transaction's name. A lease ends the mark with this process. */
  put(lease: string): IRequestOp {
    this.lease = lease;
    return { request_put: { key: this.key, value: this.current, lease } };
  }

  /** For the branch of a transaction that failed, see {@link wasInTheWay}. */
  read(): IRequestOp {
    return { request_range: { key: this.key, keys_only: true } };
  }

  /** The transaction was applied at `revision`. */
  applied(revision: string): void {
    this.revision = revision;
  }

  /**
   * Whether the transaction failed because of this mark: its lease has ended or somebody has
   * deleted it. It can be sent again then.
   */
  wasInTheWay(kv: { readonly mod_revision: string } | undefined): boolean {
    const found = kv?.mod_revision ?? '0';
    if (found === this.revision) return false;
    this.revision = found;
    return true;
  }

  /** Nobody knows what became of its transaction, so it is never used again. */
  retire(): void {
    this.retired = true;
  }

  /**
   * Finds out what became of a transaction whose answer was lost: the revision at which it was
   * applied, or null if it was not, and then it never will be, as the mark it compares is changed
   * here. Asks for as long as a write may take, and no longer than until `end`.
   *
   * @param lease as in {@link put}: while it stands, the mark cannot have ended with it
   * @throws WriteOutcomeUnknownError if etcd does not answer, or the client closes meanwhile
   */
  settle(what: string, lease: string, end: number): Promise<string | null> {
    const spend = { request_put: { key: this.key, value: SPENT, lease } };
    return this.find(what, [spend], end);
  }

  /**
   * As {@link settle}, of a transaction that etcd has answered: there is nothing under way that the mark
   * would have to keep out, and a full database takes no other.
   */
  look(what: string, end: number): Promise<string | null> {
    return this.find(what, [], end);
  }

  /**
   * Makes sure that its transaction, if it was not applied yet, never will be: however late it arrives,
   * it comes before what is written after this. For a mark that is not used any more.
   *
   * @throws what etcd answers, or that it does not
   */
  async bar(): Promise<void> {
    const spend = { request_put: { key: this.key, value: SPENT, lease: this.lease } };
    try {
      const request = { compare: [this.compare()], success: [spend], failure: [] };
      // Whoever wants this asks again, with as much time each time as the write had.
      await this.client.txn(request, { repeatable: true, maxAttempts: 1 });
    } catch (error) {
      // Then its transaction is refused as well, as it puts the mark on the same lease.
      if (!(error instanceof LeaseNotFoundError)) throw error;
    }
  }

  private async find(
    what: string,
    ifUnmarked: IRequestOp[],
    latest: number,
  ): Promise<string | null> {
    const { timeouts, retry } = this.client.options;
    const end = Math.min(latest, this.client.clock.now() + timeouts.write);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.ask(what, ifUnmarked, end - this.client.clock.now());
      } catch (error) {
        if (error instanceof WriteOutcomeUnknownError) {
          this.retire();
          throw error;
        }
        const left = end - this.client.clock.now();
        const delay = retryDelay(attempt, retry);
        // Nobody can be asked any more.
        if (delay >= left || error instanceof ClientClosedError) {
          this.retire();
          throw outcomeUnknown(what, error);
        }
        await pause(this.client.clock, delay);
      }
    }
  }

  private async ask(
    what: string,
    ifUnmarked: IRequestOp[],
    timeoutMs: number,
  ): Promise<string | null> {
    // A slow etcd is to have time for its answer, the more as it may have to be connected anew; but
    // where there are others, a frozen member is to be left for one of them.
    const maxAttempts = Math.min(2, this.client.endpoints.length);
    const answer = await this.client.txn(
      {
        compare: [this.compare()],
        success: ifUnmarked,
        failure: [{ request_range: { key: this.key } }],
      },
      // Repeated after it was applied, its comparison fails, and it finds what it put.
      { repeatable: true, timeoutMs, maxAttempts },
    );
    if (answer.succeeded) {
      if (ifUnmarked.length > 0) this.revision = answer.header.revision;
      return null;
    }
    const kv = answer.responses[0]!.response_range.kvs[0];
    if (!kv) throw outcomeUnknown(what, new Error('its mark was deleted'));
    this.revision = kv.mod_revision;
    return kv.value.equals(this.current) ? kv.mod_revision : null;
  }
}

/** @param what the write in words, as the object of "the answer to" */
export function outcomeUnknown(what: string, cause: unknown): WriteOutcomeUnknownError {
  const lost = cause instanceof WriteOutcomeUnknownError ? cause.cause : cause;
  return new WriteOutcomeUnknownError(what, grpcFailure(lost).details, lost);
}
