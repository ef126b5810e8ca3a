import { EtcdCoordinationError } from '../../client/coordination.error.js';
import { HttpStatusError } from '../../client/http-status.error.js';
import type { SwitchStatus } from './switch-status.js';

/** The error of a cut call as it goes over a wire, such as in the `RpcException` of a message handler. */
export interface SwitchErrorPayload {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
  readonly switch: string;
}

abstract class CutCallError extends HttpStatusError {
  readonly statusCode = 503;
  /** The name of the switch. */
  abstract readonly switch: string;

  /** What a caller in another process may be told. */
  toJSON(): SwitchErrorPayload {
    const { code, message } = this;
    return { status: 'error', code, message, switch: this.switch };
  }
}

/**
 * A call was cut by its switch, and nothing stands in for it. HTTP 503. Nothing has run. By whom and why is
 * in `state`, for logs; the message, which may reach callers outside, says nothing of it.
 */
export class DegradedError extends CutCallError {
  readonly switch: string;

  constructor(
    /** How the switch stood at the call. */
    readonly state: SwitchStatus,
  ) {
    super(
      'DEGRADED',
      `This is switched off for now by the switch "${state.name}". Try again later, or go on without it.`,
    );
    this.switch = state.name;
  }
}

/**
 * A call was cut by its switch, and what stands in for it failed: the `cause`, which the message, as it may
 * reach callers outside, says nothing of. HTTP 503.
 */
export class DegradedFallbackError extends CutCallError {
  readonly switch: string;

  constructor(
    name: string,
    /** The fallback, such as `Orders.noRecommendations`. */
    readonly fallback: string,
    cause: unknown,
  ) {
    super(
      'DEGRADED_FALLBACK_FAILED',
      `This is switched off for now by the switch "${name}", and what stands in for it failed. Try again later.`,
      { cause },
    );
    this.switch = name;
  }
}

/** What was to be said of a switch, or of a class of them, means nothing. Nothing was changed. */
export class InvalidSwitchChangeError extends EtcdCoordinationError {
  constructor(
    /** What was to be changed, such as `switch "recommendations"`. */
    what: string,
    /** What is wrong, and what to give, as the end of a sentence. */
    fault: string,
  ) {
    super('INVALID_SWITCH_CHANGE', `The ${what} ${fault}.`);
  }
}
