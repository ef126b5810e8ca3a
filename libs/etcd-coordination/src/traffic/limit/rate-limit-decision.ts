/**
 * Why a call is not let through: the limit is used up; or this process has no share of a fleet's limit, for it is
 * yet to join, was held up and is to be heard of again, or is closing.
 */
export type RateLimitRefusal = 'used-up' | 'joining' | 'held-up' | 'closing';

/** What a limit says of a call. */
export interface RateLimitDecision {
  readonly allowed: boolean;
  /** Why not; null if it was let through. */
  readonly refusal: RateLimitRefusal | null;
  /** The rule's limit; the whole fleet's, if it is one. */
  readonly limit: number;
  /** How many more this process would let through now. */
  readonly remaining: number;
  /** Milliseconds after which such a call could be let through; 0 if this one was. */
  readonly retryAfterMs: number;
  /** Milliseconds until as many as ever can be let through at once. */
  readonly resetMs: number;
}
