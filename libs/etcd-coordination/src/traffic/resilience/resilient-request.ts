import { Logger } from '@nestjs/common';
import { isFailureByDefault, isGivenUp } from '../failure-verdict.js';
import { CallScope } from './call-scope.js';
import type { CallersWish } from './callers-wish.js';
import type { CallContext } from './current-call.js';
import {
  BreakerOpenError,
  BulkheadFullError,
  ResilienceTimeoutError,
} from './resilience.errors.js';

const logger = new Logger('Resilience');

/** What stands in for a call that failed. */
export interface Fallback {
  /** For errors, such as "Orders.fromCache". */
  readonly name: string;
  run(error: unknown): unknown;
}

/** What is asked of a policy. */
export interface RequestOptions {
  readonly idempotent: boolean;
  readonly fallback: Fallback | null;
  readonly handle: ((error: unknown) => boolean) | null;
}

/**
 * What an error is:
 *
 * - `failure`: the dependency failed. It counts, may be made good by another attempt, and is stood in for
 * - `refused`: nothing was called, by this policy itself. It is stood in for, and that is all
 * - `answer`: the dependency works, and has said no. It is passed on
 * - `given-up`: the caller gave up, or another attempt was faster. It says nothing
 */
export type Verdict = 'failure' | 'refused' | 'answer' | 'given-up';

/** The reason with which an attempt ends beside which another one was answered. */
export class HedgeLostError extends Error {
  override readonly name = 'AbortError';
}

/** One call under a policy, through all its attempts. */
export class ResilientRequest {
  private attempts = 0;
  private judged: unknown;
  private verdict: Verdict | null = null;

  constructor(
    readonly policy: string,
    readonly work: (call: CallContext) => unknown,
    readonly wish: CallersWish | null,
    readonly options: RequestOptions,
  ) {}

  /** The next attempt. */
  attempt(): Attempt {
    this.attempts += 1;
    return new Attempt(this, this.attempts);
  }

  /** What an error of it is. The user's function is asked once for each. */
  judge(error: unknown): Verdict {
    if (this.wish?.scope.isOver) return 'given-up';
    if (this.verdict === null || this.judged !== error) {
      this.judged = error;
      this.verdict = this.judgeSafely(error);
    }
    return this.verdict;
  }

  /** Anything can be thrown, and some of it cannot even be looked at: that is a failure. */
  private judgeSafely(error: unknown): Verdict {
    try {
      return this.judgeAnew(error);
    } catch {
      return 'failure';
    }
  }

  private judgeAnew(error: unknown): Verdict {
    if (error instanceof HedgeLostError) return 'given-up';
    if (this.isOwn(error, BreakerOpenError) || this.isOwn(error, BulkheadFullError)) {
      return 'refused';
    }
    if (this.isOwn(error, ResilienceTimeoutError)) return error.begun ? 'failure' : 'refused';
    const handled = this.handled(error);
    if (handled !== null) return handled ? 'failure' : 'answer';
    if (isGivenUp(error)) return 'given-up';
    return isFailureByDefault(error) ? 'failure' : 'answer';
  }

  /** Another policy's, which a call under this one may have run into, is a failure as any. */
  private isOwn<E extends { readonly policy: string }>(
    error: unknown,
    type: abstract new (...args: never[]) => E,
  ): error is E {
    return error instanceof type && error.policy === this.policy;
  }

  /** What the user's function says; null if it says nothing. */
  private handled(error: unknown): boolean | null {
    const { handle } = this.options;
    if (!handle) return null;
    try {
      const handled: unknown = handle(error);
      if (typeof handled === 'boolean') return handled;
      this.distrust(`answered neither true nor false`);
    } catch (fault) {
      this.distrust(`threw ${fault instanceof Error ? `"${fault.message}"` : 'what is no error'}`);
    }
    return null;
  }

  private distrust(fault: string): void {
    logger.warn(
      `The option "handle" of a call under the policy "${this.policy}" ${fault}; the error that it was to judge is judged as without it.`,
    );
  }
}

/** One attempt of a call. */
export class Attempt {
  /** Ends when nobody waits for it any more. */
  readonly scope = new CallScope();
  /** Whether the function was called. */
  begun = false;

  constructor(
    readonly request: ResilientRequest,
    /** 1 for the first one. */
    readonly number: number,
  ) {}
}

/**
 * Who is told how something ended, once. Told, and not promised: a promise for each part of a policy
 * would take longer than all the parts.
 */
export interface Ending {
  answered(value: unknown): void;
  failed(error: unknown): void;
}

/** What makes an attempt, or has the next one inside make it. Throws nothing. */
export type AttemptStep = (attempt: Attempt, ending: Ending) => void;

/** What makes a call, or has the next one inside make it. Throws nothing. */
export type RequestStep = (request: ResilientRequest, ending: Ending) => void;
