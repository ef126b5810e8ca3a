/** How a bucket fills. */
export interface BucketPace {
  /** Tokens in a millisecond; 0 fills nothing. */
  readonly perMs: number;
  /** The most that it holds, at least 1, or a whole call would never fit. */
  readonly capacity: number;
}

/** Sums of fractions are not exact. */
const EPSILON = 1e-9;

/**
 * A bucket of tokens, in two numbers: what it held, and when. It fills as time passes, up to its capacity
 * and no further, however long that was: a process that was frozen wakes with a full one at the most.
 *
 * What costs more than the capacity is taken from a full bucket, which owes the rest then.
 */
export class TokenBucket {
  constructor(
    private level: number,
    private at: number,
  ) {}

  /** Takes `cost` tokens if they are there. */
  take(now: number, cost: number, pace: BucketPace): boolean {
    this.fill(now, pace);
    if (this.level + EPSILON < Math.min(cost, pace.capacity)) return false;
    this.level -= cost;
    return true;
  }

  /** Brings it up to now at this pace, before another one holds. */
  fill(now: number, { perMs, capacity }: BucketPace): void {
    const filled = this.level + Math.max(0, now - this.at) * perMs;
    this.level = filled < capacity ? filled : capacity;
    this.at = now;
  }

  /** Whole tokens, as of when it was filled or taken from last. */
  get tokens(): number {
    return Math.max(0, Math.floor(this.level + EPSILON));
  }

  /** Milliseconds until `cost` tokens can be taken; Infinity if it does not fill. */
  waitMs(cost: number, { perMs, capacity }: BucketPace): number {
    const missing = Math.min(cost, capacity) - this.level;
    if (missing <= EPSILON) return 0;
    return perMs > 0 ? missing / perMs : Infinity;
  }

  /** Whether it would be full by now: as good as one that never was used. */
  isFull(now: number, { perMs, capacity }: BucketPace): boolean {
    return this.level + (now - this.at) * perMs >= capacity - EPSILON;
  }
}
