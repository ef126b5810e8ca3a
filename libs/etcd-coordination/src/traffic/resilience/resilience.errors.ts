import { EtcdCoordinationError } from '../../client/coordination.error.js';
import { HttpStatusError } from '../../client/http-status.error.js';

/** An error of a policy as it goes over a wire, such as in the `RpcException` of a message handler. */
export interface ResilienceErrorPayload {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
  /** The policy's name. */
  readonly policy: string;
  /** When it is worth while to ask again, in milliseconds; null if nobody can tell. */
  readonly retryAfterMs: number | null;
}

/** What a policy answers in the place of its dependency. */
export abstract class ResilienceError extends HttpStatusError {
  /** When it is worth while to ask again, in milliseconds from when it was thrown; null if nobody can tell. */
  readonly retryAfterMs: number | null = null;

  constructor(
    code: string,
    /** The policy's name. */
    readonly policy: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }

  /** What a caller in another process may be told. */
  toJSON(): ResilienceErrorPayload {
    const { code, message, policy, retryAfterMs } = this;
    return { status: 'error', code, message, policy, retryAfterMs };
  }
}

/** How a breaker stands that refuses calls. */
export type RefusingState = 'open' | 'half-open' | 'isolated';

const REFUSALS: Readonly<Record<RefusingState, string>> = {
  open: 'too many of its calls have failed',
  'half-open': 'too many of its calls have failed, and those on trial have not ended yet',
  isolated: 'somebody has isolated it by hand',
};

/** The breaker of a policy lets no call through. HTTP 503. Nothing was called. */
export class BreakerOpenError extends ResilienceError {
  readonly statusCode = 503;
  override readonly retryAfterMs: number | null;

  constructor(
    policy: string,
    readonly state: RefusingState,
    /** When the next call is let through on trial, in milliseconds; null if that is not to be told. */
    retryAfterMs: number | null,
    /** What the last call failed with that was let through. */
    cause: unknown,
  ) {
    const again =
      state === 'isolated'
        ? 'Release it, or wait until somebody does.'
        : retryAfterMs === null
          ? 'Try again shortly.'
          : `Try again in ${Math.ceil(retryAfterMs)} ms.`;
    super(
      'BREAKER_OPEN',
      policy,
      `The breaker of the policy "${policy}" is ${state}: ${REFUSALS[state]}. ${again}`,
      cause === undefined ? undefined : { cause },
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** As many calls of a policy run, and wait for their turn, as may. HTTP 503. Nothing was called. */
export class BulkheadFullError extends ResilienceError {
  readonly statusCode = 503;

  constructor(
    policy: string,
    readonly running: number,
    readonly waiting: number,
    /** Of those running, the ones whose caller has gone already. */
    readonly abandoned: number,
  ) {
    const lost =
      abandoned === 0
        ? ''
        : ` Of these, ${abandoned} go on although their time is up or nobody waits for them: have them mind their signal.`;
    super(
      'BULKHEAD_FULL',
      policy,
      `The bulkhead of the policy "${policy}" is full: ${running} calls run and ${waiting} wait.${lost} Try again later, or raise "bulkhead.concurrent" or "bulkhead.queue".`,
    );
  }
}

/** An attempt took longer than its policy allows. HTTP 504. What it has done is not known, unless it had not begun. */
export class ResilienceTimeoutError extends ResilienceError {
  readonly statusCode = 504;

  constructor(
    policy: string,
    readonly timeoutMs: number,
    /** Whether the function was called; false if it still waited for its turn in the bulkhead. */
    readonly begun: boolean,
  ) {
    super(
      'RESILIENCE_TIMEOUT',
      policy,
      begun
        ? `A call under the policy "${policy}" was not answered within ${timeoutMs} ms.`
        : `A call under the policy "${policy}" had no turn in the bulkhead within ${timeoutMs} ms; nothing was called.`,
    );
  }
}

/**
 * What stands in for a failed call has failed itself. HTTP 503. Its own error is the `cause`; the message,
 * which may reach callers outside, says nothing of either.
 */
export class FallbackFailedError extends ResilienceError {
  readonly statusCode = 503;

  constructor(
    policy: string,
    /** What stands in, such as "Orders.fromCache". */
    readonly fallback: string,
    /** What the call failed with that it was to stand in for. */
    readonly failure: unknown,
    cause: unknown,
  ) {
    super(
      'FALLBACK_FAILED',
      policy,
      `A call under the policy "${policy}" failed, and so did what stands in for it. Try again later.`,
      { cause },
    );
  }
}

/** An option of a call under a policy cannot be. Nothing was called. */
export class InvalidResilienceOptionError extends EtcdCoordinationError {
  constructor(
    readonly policy: string,
    readonly option: string,
    fault: string,
  ) {
    super(
      'INVALID_RESILIENCE_OPTION',
      `The option "${option}" of a call under the policy "${policy}" ${fault}.`,
    );
  }
}
