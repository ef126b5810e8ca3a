import { EtcdCoordinationError } from '../../client/coordination.error.js';
import { HttpStatusError } from '../../client/http-status.error.js';
import type { RateLimitDecision, RateLimitRefusal } from './rate-limit-decision.js';

const REFUSED: Readonly<Record<RateLimitRefusal, string>> = {
  'used-up': 'is used up',
  joining: 'has no share for this process yet, which is joining those who use it',
  'held-up':
    'has no share for this process, which was held up, until the others have heard of it again',
  closing: 'lets nothing through here any more, for this process is closing',
};

/** What a caller in another process may be told of a call over the limit. */
export interface RateLimitedPayload {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
  readonly rule: string;
  /** Milliseconds, rounded up. */
  readonly retryAfterMs: number;
}

/**
 * A call was one too many. Nothing of it has run. Nest's own exception filter answers it with HTTP 429
 * and its message.
 */
export class RateLimitedError extends HttpStatusError {
  readonly statusCode = 429;

  constructor(
    /** The rule's name. */
    readonly rule: string,
    readonly decision: RateLimitDecision,
  ) {
    super(
      'RATE_LIMITED',
      `The limit "${rule}" of ${decision.limit} ${REFUSED[decision.refusal ?? 'used-up']}; try again in ${Math.ceil(decision.retryAfterMs)} ms.`,
    );
  }

  /** Milliseconds after which the call may be let through. */
  get retryAfterMs(): number {
    return Math.ceil(this.decision.retryAfterMs);
  }

  toJSON(): RateLimitedPayload {
    const { code, message, rule, retryAfterMs } = this;
    return { status: 'error', code, message, rule, retryAfterMs };
  }
}

/** A call asked for a number of tokens that it cannot have, or with a key where none is used. Nothing was counted. */
export class InvalidRateLimitCallError extends EtcdCoordinationError {
  constructor(
    readonly rule: string,
    fault: string,
    options?: { cause?: unknown },
  ) {
    super('INVALID_RATE_LIMIT_CALL', `A call under the limit "${rule}" ${fault}.`, options);
  }
}
