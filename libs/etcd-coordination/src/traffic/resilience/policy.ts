/**
 * How calls of one dependency are kept from failing, and from doing harm where they fail. Each part may
 * be left out, and does nothing then. Every number may be turned in etcd while everything runs; a part
 * that is `null` there is off.
 */
export interface PolicyOptions {
  /** How long one attempt may take, in milliseconds, the wait for the bulkhead included. Default without end. */
  readonly timeoutMs?: number | null;
  readonly retry?: RetryPolicyOptions | null;
  readonly breaker?: BreakerOptions | null;
  readonly bulkhead?: BulkheadOptions | null;
  readonly hedge?: HedgeOptions | null;
}

/**
 * Failed attempts are made again, after a pause that grows exponentially and has full jitter. Only a call
 * that may be applied twice (`idempotent`) is, or one that has certainly not reached anybody.
 */
export interface RetryPolicyOptions {
  /** Attempts in all, the first one included: 1 to 10. Default 3. */
  readonly attempts?: number;
  /** Upper bound of the first pause, in milliseconds. Default 100. */
  readonly initialDelayMs?: number;
  /** Upper bound of any pause, in milliseconds. Default 2000. */
  readonly maxDelayMs?: number;
  /**
   * What share of the calls may be attempts beyond the first, 0 to 1: retries and hedges of all calls of
   * the policy together, so that they cannot multiply an outage. Default 0.1.
   */
  readonly budget?: number;
  /** So many more a second are allowed whatever the share, for a policy that is seldom used. Default 1. */
  readonly minRetriesPerSecond?: number;
}

/**
 * Calls are refused for a while once too many have failed. Which, is said by `kind`: so many in a row
 * (`consecutive`, the default), or such a share of all those of a time (`ratio`).
 */
export interface BreakerOptions {
  readonly kind?: 'consecutive' | 'ratio';
  /** `consecutive`: it opens with this many failures in a row. Default 5. */
  readonly failures?: number;
  /** `ratio`: it opens when this share of the calls has failed, above 0 up to 1. Default 0.5. */
  readonly threshold?: number;
  /** `ratio`: the time whose calls are looked at, in milliseconds. Default 10000. */
  readonly windowMs?: number;
  /** `ratio`: fewer calls than this in that time open nothing. Default 20. */
  readonly minCalls?: number;
  /** How long it stays open before calls are let through on trial, in milliseconds. Default 5000. */
  readonly openMs?: number;
  /** So many calls are on trial at a time, and so many in a row must succeed for it to close. Default 1. */
  readonly halfOpenCalls?: number;
}

/** So many calls run at a time; those beyond wait their turn, and are refused when too many do. */
export interface BulkheadOptions {
  /** Calls at a time. */
  readonly concurrent: number;
  /** Calls that may wait for their turn. Default 0. */
  readonly queue?: number;
}

/** A slow attempt of a call that may be applied twice (`idempotent`) is run a race with by another one. */
export interface HedgeOptions {
  /** How long an attempt goes without an answer before the next one starts beside it, in milliseconds. */
  readonly afterMs: number;
  /** How many run beside each other at most, the first one included: 2 to 5. Default 2. */
  readonly attempts?: number;
}

/** The numbers of a policy, each default filled in; null for a part that is off. */
export interface Policy {
  readonly timeoutMs: number | null;
  readonly retry: Required<RetryPolicyOptions> | null;
  readonly breaker: Required<BreakerOptions> | null;
  readonly bulkhead: Required<BulkheadOptions> | null;
  readonly hedge: Required<HedgeOptions> | null;
}
