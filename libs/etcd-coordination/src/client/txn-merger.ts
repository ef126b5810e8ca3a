import type { ITxnRequest, ITxnResponse } from 'etcd3';
import type { EtcdClient } from './etcd-client.js';
import {
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  EtcdRequestError,
  LeaseNotFoundError,
  RequestTooLargeError,
} from './etcd.errors.js';

/** What one part of a merged transaction was answered. */
export interface TxnAnswer {
  readonly succeeded: boolean;
  readonly responses: ITxnResponse['responses'];
  /** The revision of the transaction: the create revision of what it put. */
  readonly revision: string;
  /** Whether an earlier request for it may have been applied, so that what made this one fail may be its own doing. */
  readonly repeated?: boolean;
}

interface Part {
  readonly request: ITxnRequest;
  readonly touches: readonly string[];
  resolve(answer: TxnAnswer): void;
  reject(error: unknown): void;
}

/**
 * How many transactions go into one. etcd allows 128 operations in all, and counts the parts of the
 * outer one and the longest of the inner ones.
 */
const MOST_PARTS = 100;
/** With so many under way, what comes waits to be merged with more. */
const FEW_UNDERWAY = 3;
/** How many are under way at a time where they cannot be merged: more would only wait in etcd, with their time running. */
const MOST_UNDERWAY = 8;

/**
 * Merges the transactions that are asked for in one turn of the event loop into one, each nested in
 * it with its own comparisons: most of what a transaction costs is the call. Only what comes while
 * none is under way goes out alone, without waiting for the turn to end. They are sent once and never
 * repeated, share a revision, and fail together; those that fail because one of them is refused are
 * sent again one by one.
 *
 * etcd makes all comparisons, those of the nested ones too, before the first write. So a part does not
 * see what the parts before it do, and two whose comparisons could be about each other must not be in
 * one transaction: they name what they have in common, see {@link run}.
 */
export class TxnMerger {
  private waiting: Part[] = [];
  private underway = 0;
  private flushing = false;

  constructor(
    private readonly client: EtcdClient,
    /** Milliseconds that each may take; asked for when it is sent. */
    private readonly timeoutMs: () => number,
  ) {}

  /**
   * Runs a transaction of at most 8 operations.
   *
   * @param touches what at most one part of a transaction may name: the keys that it writes, and
   *   whatever else must get a revision of its own. Those that name the same are sent in their order,
   *   but not one after the other's answer: whoever needs that waits for it
   * @throws WriteOutcomeUnknownError if its answer was lost, EtcdNoSpaceError if it was refused or, as the
   *   last of all, applied, and others if it was not applied
   */
  run(request: ITxnRequest, touches: readonly string[]): Promise<TxnAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ request, touches, resolve, reject });
      this.flushSoon();
    });
  }

  private flushSoon(): void {
    if (this.flushing || this.waiting.length === 0 || this.underway >= FEW_UNDERWAY) return;
    // What comes first goes out at once; what comes with it is merged behind it.
    if (this.underway === 0) return this.flush();
    this.flushing = true;
    // After the microtasks of this turn, in which whoever was just answered asks for more.
    setImmediate(() => {
      this.flushing = false;
      while (this.waiting.length > 0 && this.underway < MOST_UNDERWAY) this.flush();
    });
  }

  private flush(): void {
    const touched = new Set<string>();
    const batch: Part[] = [];
    const later: Part[] = [];
    let looked = 0;
    for (const part of this.waiting) {
      if (batch.length === MOST_PARTS) break;
      looked += 1;
      const fits = part.touches.every((touch) => !touched.has(touch));
      (fits ? batch : later).push(part);
      // Those that come after one that has to wait do not overtake it.
      for (const touch of part.touches) touched.add(touch);
    }
    this.waiting = [...later, ...this.waiting.slice(looked)];
    this.underway += 1;
    void this.send(batch).finally(() => {
      this.underway -= 1;
      this.flushSoon();
    });
  }

  private async send(batch: readonly Part[]): Promise<void> {
    if (batch.length === 1) return this.sendAlone(batch[0]!);
    try {
      const { header, responses } = await this.txn({
        compare: [],
        success: batch.map(({ request }) => ({ request_txn: request })),
        failure: [],
      });
      for (const [index, part] of batch.entries()) {
        const answer = responses[index]!.response_txn;
        part.resolve({
          succeeded: answer.succeeded,
          responses: answer.responses,
          revision: header.revision,
        });
      }
    } catch (error) {
      if (error instanceof EtcdNoSpaceError) await this.sendDeletions(batch, error);
      else if (isOfOnePart(error)) await Promise.all(batch.map((part) => this.sendAlone(part)));
      else for (const part of batch) part.reject(error);
    }
  }

  /** A full database takes no key, but lets keys go. What was to put one may stand all the same. */
  private async sendDeletions(batch: readonly Part[], error: EtcdNoSpaceError): Promise<void> {
    const puts = ({ request }: Part) => request.success?.some((part) => part.request_put);
    for (const part of batch.filter(puts)) part.reject(error);
    const deletions = batch.filter((part) => !puts(part));
    await Promise.all(deletions.map((part) => this.sendAlone(part, true)));
  }

  private async sendAlone(part: Part, repeated = false): Promise<void> {
    try {
      const { header, succeeded, responses } = await this.txn(part.request);
      const answer = { succeeded, responses, revision: header.revision };
      part.resolve(repeated ? { ...answer, repeated } : answer);
    } catch (error) {
      part.reject(error);
    }
  }

  private txn(request: ITxnRequest): Promise<ITxnResponse> {
    return this.client.txn(request, { repeatable: false, timeoutMs: this.timeoutMs() });
  }
}

/** Nothing was applied, for a reason that one part may have and the others not. */
export function isOfOnePart(error: unknown): boolean {
  return (
    error instanceof EtcdPermissionDeniedError ||
    // Of the lease that one of them is on.
    error instanceof LeaseNotFoundError ||
    error instanceof RequestTooLargeError ||
    (error instanceof EtcdRequestError && error.status === 'INVALID_ARGUMENT')
  );
}
