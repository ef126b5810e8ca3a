import type { IBreaker } from 'cockatiel';
import type { MonotonicClock } from '../../../client/clock.js';

/** So many slices a window has: the oldest is let go as a whole. */
const SLICES = 10;

/** The calls of a part of the window. */
interface Slice {
  /** The number of the slice since the clock began; the same place is used for every tenth. */
  number: number;
  succeeded: number;
  failed: number;
}

/** What share of the calls of the last while has failed. */
export interface RatioNumbers {
  readonly threshold: number;
  readonly windowMs: number;
  readonly minCalls: number;
}

/**
 * Says that a breaker is to open when a share of the calls of a sliding time has failed. Unlike
 * cockatiel's `SamplingBreaker` it tells the time by a monotonic clock, and needs calls, not a rate.
 */
export class RatioCount implements IBreaker {
  /** Asked for by cockatiel's interface: what a breaker is carried over by. */
  readonly state: readonly Slice[] = Array.from({ length: SLICES }, () => ({
    number: -1,
    succeeded: 0,
    failed: 0,
  }));

  constructor(
    private readonly clock: MonotonicClock,
    /** May be replaced by others of the same window. */
    public numbers: RatioNumbers,
  ) {}

  success(): void {
    this.slice(this.present()).succeeded += 1;
  }

  failure(): boolean {
    const present = this.present();
    this.slice(present).failed += 1;
    let [calls, failed] = [0, 0];
    for (const slice of this.state) {
      if (slice.number <= present - SLICES) continue;
      calls += slice.succeeded + slice.failed;
      failed += slice.failed;
    }
    return calls >= this.numbers.minCalls && failed >= this.numbers.threshold * calls;
  }

  private present(): number {
    return Math.floor((this.clock.now() * SLICES) / this.numbers.windowMs);
  }

  private slice(number: number): Slice {
    const slice = this.state[number % SLICES]!;
    if (slice.number !== number) {
      slice.number = number;
      slice.succeeded = slice.failed = 0;
    }
    return slice;
  }
}
