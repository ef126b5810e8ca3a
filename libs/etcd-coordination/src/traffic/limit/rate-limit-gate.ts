import { Gate, GateKind } from '../../nest/gate.js';
import type { LimitUse, OfCall } from './limit-uses.js';
import type { RateLimitDecision } from './rate-limit-decision.js';
import type { RateLimitRule } from './rate-limit-rule.js';
import { InvalidRateLimitCallError, RateLimitedError } from './rate-limit.errors.js';
import type { RateLimiter } from './rate-limiter.js';
import { asKey, keyOfRequest } from './request-key.js';

/** What decides: a `RateLimiter`. */
export type LimiterToAsk = Pick<RateLimiter, 'check' | 'numbers'>;

/**
 * Decides on the calls of methods marked `@RateLimit`. There is one for each connection of an application;
 * Nest puts it on the object.
 */
export class RateLimitGate extends Gate {
  constructor(private readonly limiter: LimiterToAsk) {
    super();
  }

  /** The numbers of a rule as they stand. */
  numbers(rule: string): RateLimitRule {
    return this.limiter.numbers(rule);
  }

  /**
   * Decides on a call with these arguments, or of this request, to which the rule's own key applies.
   *
   * @throws {InvalidRateLimitCallError} if the decorator's key or cost of it is none
   */
  check(use: LimitUse, args: readonly unknown[], request?: unknown): RateLimitDecision {
    const { rule, key, cost } = use;
    const given = request === undefined ? args : [request];
    const of = key ? this.keyBy(key, rule, given) : keyOfRequest(request, this.numbers(rule).key);
    const costs = typeof cost === 'function' ? this.ask(cost, rule, given) : cost;
    return this.limiter.check(rule, {
      ...(of !== undefined && { key: of }),
      // What is no number is refused as a cost there.
      cost: costs as number,
    });
  }

  /** The error of a call that was one too many; for a message handler one that its sender gets to read. */
  refusal(rule: string, decision: RateLimitDecision, forMessage: boolean): Error {
    const error = new RateLimitedError(rule, decision);
    return this.told(error, error.toJSON(), forMessage);
  }

  private keyBy(key: OfCall<unknown>, rule: string, given: readonly unknown[]): string | undefined {
    const value = this.ask(key, rule, given);
    const read = asKey(value);
    if (read !== undefined || value === undefined || value === null || value === '') return read;
    const fault = `has a key that is no string: the function "key" of @RateLimit gave a value of type ${typeof value}`;
    throw new InvalidRateLimitCallError(rule, fault);
  }

  private ask(what: OfCall<unknown>, rule: string, given: readonly unknown[]): unknown {
    try {
      return what(...given);
    } catch (cause) {
      const fault = `cannot be counted: a function of its @RateLimit threw ${String(cause)}`;
      throw new InvalidRateLimitCallError(rule, fault, { cause });
    }
  }
}

export const RATE_LIMIT_GATES = new GateKind<RateLimitGate>(
  'RateLimitGate',
  '@RateLimit',
  'count its calls',
);
