/** What a limit says of a call. */
export interface RateLimitDecision {
  readonly allowed: boolean;
  /** The rule's limit; the whole fleet's, if it is one. */
  readonly limit: number;
  /** How many more this process would let through now. */
  readonly remaining: number;
  /** Milliseconds after which such a call could be let through; 0 if this one was. */
  readonly retryAfterMs: number;
  /** Milliseconds until as many as ever can be let through at once. */
  readonly resetMs: number;
}
