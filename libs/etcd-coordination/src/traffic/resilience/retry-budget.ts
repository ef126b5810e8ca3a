import type { MonotonicClock } from '../../client/clock.js';

/** What a budget goes by. */
export interface BudgetNumbers {
  /** What each call that reaches the dependency earns, of an attempt beyond the first. */
  readonly budget: number;
  /** What each second earns. */
  readonly minRetriesPerSecond: number;
}

const SECOND_MS = 1000;
/** So many seconds of silence may be saved up. */
const SECONDS_IN_RESERVE = 2;
/** Ten tenths are a bit less than one. */
const ALMOST_ONE = 1 - 1e-9;

/**
 * How many attempts beyond the first there may be, for all calls of a policy together: each call earns a
 * share of one, and each second a little. What is saved up is no more than the calls of a second and two
 * seconds of silence have earned, so that a long calm does not pay for a storm.
 *
 * In any stretch of time there are at most `budget` × its calls + `minRetriesPerSecond` × its seconds,
 * and what was saved up before it.
 */
export class RetryBudget {
  private saved: number;
  private earnedAt: number;
  private secondBegan: number;
  private thisSecond = 0;
  private lastSecond = 0;

  constructor(
    private readonly clock: MonotonicClock,
    private numbers: BudgetNumbers,
  ) {
    this.earnedAt = this.secondBegan = clock.now();
    this.saved = this.most;
  }

  /** From here on it goes by these. What is saved up stays, as far as that may be. */
  turn(numbers: BudgetNumbers): void {
    this.pass();
    this.numbers = numbers;
    this.saved = Math.min(this.saved, this.most);
  }

  /** A call has reached the dependency. */
  earn(): void {
    this.pass();
    this.thisSecond += 1;
    this.saved = Math.min(this.saved + this.numbers.budget, this.most);
  }

  /** Whether there may be one attempt more; it counts as made then. */
  take(): boolean {
    this.pass();
    if (this.saved < ALMOST_ONE) return false;
    this.saved = Math.max(0, this.saved - 1);
    return true;
  }

  /** How many there might be now. */
  get available(): number {
    this.pass();
    return Math.floor(this.saved + (1 - ALMOST_ONE));
  }

  private pass(): void {
    const now = this.clock.now();
    const seconds = Math.floor((now - this.secondBegan) / SECOND_MS);
    if (seconds > 0) {
      this.lastSecond = seconds === 1 ? this.thisSecond : 0;
      this.thisSecond = 0;
      this.secondBegan += seconds * SECOND_MS;
    }
    const earned = ((now - this.earnedAt) / SECOND_MS) * this.numbers.minRetriesPerSecond;
    this.earnedAt = now;
    this.saved = Math.min(this.saved + earned, this.most);
  }

  /** What may be saved up. */
  private get most(): number {
    const { budget, minRetriesPerSecond } = this.numbers;
    if (budget === 0 && minRetriesPerSecond === 0) return 0;
    const calls = Math.max(this.thisSecond, this.lastSecond);
    // Less than one would never do.
    return Math.max(1, budget * calls + minRetriesPerSecond * SECONDS_IN_RESERVE);
  }
}
