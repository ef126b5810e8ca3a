import type { ITxnRequest, ITxnResponse } from 'etcd3';
import { pause } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdNoSpaceError, WriteOutcomeUnknownError } from '../client/etcd.errors.js';
import { grpcFailure } from '../client/grpc-failure.js';
import { retryDelay } from '../client/retry-delay.js';

/** What came of a guarded write. */
export interface GuardedAnswer extends ITxnResponse {
  /** An earlier request of it was sent and not answered, so what made it fail may be its own doing. */
  readonly repeated: boolean;
  /** What to fail with, unless the reading shows that it was applied: a full database may have taken it. */
  readonly refusal: EtcdNoSpaceError | null;
}

/**
 * Sends a transaction that can be applied only once, because its comparisons fail once it was:
 * again after a lost answer, within the time for a write. Whoever is told that it failed reads
 * its own mark in what the failing branch gives.
 *
 * @param what the write in words, as the object of "the answer to"
 * @throws WriteOutcomeUnknownError if every answer was lost
 */
export async function guardedWrite(
  client: EtcdClient,
  what: string,
  request: ITxnRequest,
): Promise<GuardedAnswer> {
  const { clock } = client;
  const { retry, timeouts } = client.options;
  const end = clock.now() + timeouts.write;
  let lost: WriteOutcomeUnknownError | null = null;
  for (let attempt = 1; ; attempt++) {
    const left = end - clock.now();
    const timeoutMs = left / (retry.maxAttempts - attempt + 1);
    try {
      const response = await client.txn(request, { repeatable: false, timeoutMs });
      return { ...response, repeated: lost !== null, refusal: null };
    } catch (error) {
      // Final of this request; one before it may still be on its way.
      if (error instanceof EtcdNoSpaceError && lost === null) {
        return await refused(client, what, request, error, end);
      }
      if (error instanceof WriteOutcomeUnknownError) lost = error;
      else if (lost === null) throw error;
    }
    if (attempt >= retry.maxAttempts) throw outcomeUnknown(what, lost);
    await pause(clock, Math.min(retryDelay(attempt, retry), Math.max(0, end - clock.now()) / 2));
  }
}

/** The answer of a transaction that etcd had no space for, with what its failing branch reads. */
async function refused(
  client: EtcdClient,
  what: string,
  { failure = [] }: ITxnRequest,
  refusal: EtcdNoSpaceError,
  end: number,
): Promise<GuardedAnswer> {
  const timeoutMs = Math.max(client.options.timeouts.read, end - client.clock.now());
  const look = { compare: [], success: failure, failure: [] };
  try {
    const response = await client.txn(look, { timeoutMs });
    return { ...response, succeeded: false, repeated: true, refusal };
  } catch (error) {
    throw new WriteOutcomeUnknownError(what, grpcFailure(error).details, error);
  }
}

function outcomeUnknown(what: string, { cause }: WriteOutcomeUnknownError): Error {
  return new WriteOutcomeUnknownError(what, grpcFailure(cause).details, cause);
}
