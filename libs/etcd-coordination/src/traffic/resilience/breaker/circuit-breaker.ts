import { CircuitState, ConsecutiveBreaker, type IBreaker } from 'cockatiel';
import type { MonotonicClock } from '../../../client/clock.js';
import type { BreakerOptions } from '../policy.js';
import { BreakerOpenError } from '../resilience.errors.js';
import { RatioCount } from './ratio-count.js';

/**
 * - `closed`: calls go through, and those that fail are counted
 * - `open`: they are refused, for `openMs`
 * - `half-open`: `halfOpenCalls` at a time go through on trial, the others are refused. It closes when so
 *   many in a row have succeeded, and opens again when one fails
 * - `isolated`: they are refused until it is released by hand
 */
export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated';

/** How a breaker stands. */
export interface BreakerStatus {
  readonly policy: string;
  readonly state: BreakerState;
  /** When calls are let through on trial, in milliseconds from now; null unless it is open. */
  readonly retryAfterMs: number | null;
  /** What the last call failed with that counted; undefined if none did since it last closed. */
  readonly lastFailure: unknown;
}

export type BreakerNumbers = Required<BreakerOptions>;

/** A state from its beginning to its end. A call belongs to the one that it began in, and counts in no other. */
type Period =
  | { readonly state: 'closed'; readonly count: IBreaker }
  | { readonly state: 'open'; readonly since: number }
  | { readonly state: 'half-open'; running: number; succeeded: number; lastBegan: number }
  | { readonly state: 'isolated' };

/** What a call got in with, and says its end with. */
export type BreakerPass = Period;

/**
 * A breaker on a monotonic clock. What decides that it opens is an `IBreaker` of cockatiel's. What goes on
 * after that is not cockatiel's own, in which calls wait while one is on trial, the machine's wall clock
 * says when that is, and the numbers stand once and for all.
 *
 * It has no timer: an open one is half-open with the first call after its time.
 */
export class CircuitBreaker {
  private period: Period;
  private lastFailure: unknown;

  constructor(
    private readonly policy: string,
    private readonly clock: MonotonicClock,
    private numbers: BreakerNumbers,
    private readonly changed: () => void = () => undefined,
  ) {
    this.period = { state: 'closed', count: this.newCount() };
  }

  get status(): BreakerStatus {
    const { policy, lastFailure } = this;
    const retryAfterMs = this.period.state === 'open' ? this.opensFor(this.period) : null;
    return { policy, state: this.period.state, retryAfterMs, lastFailure };
  }

  /** Whether it refuses whoever comes now. */
  get isShut(): boolean {
    const { period } = this;
    return period.state === 'open' ? this.opensFor(period) > 0 : period.state === 'isolated';
  }

  /**
   * From here on it goes by these. It stays in its state: one that is open is so for the new `openMs` from
   * when it opened. What was counted stays, unless `kind` or `windowMs` has changed.
   */
  turn(numbers: BreakerNumbers): void {
    const before = this.numbers;
    this.numbers = numbers;
    if (this.period.state !== 'closed') return;
    const { count } = this.period;
    const isSameCount =
      before.kind === numbers.kind &&
      (numbers.kind === 'consecutive' || before.windowMs === numbers.windowMs);
    if (!isSameCount) {
      this.period = { state: 'closed', count: this.newCount() };
    } else if (count instanceof RatioCount) {
      count.numbers = numbers;
    } else if (before.failures !== numbers.failures) {
      const next = this.newCount();
      next.state = count.state;
      this.period = { state: 'closed', count: next };
    }
  }

  /**
   * Lets a call in, which is to say how it ended.
   *
   * @throws {BreakerOpenError} if it does not
   */
  enter(): BreakerPass {
    const { period } = this;
    switch (period.state) {
      case 'closed':
        return period;
      case 'open': {
        const remaining = this.opensFor(period);
        if (remaining > 0) throw this.refusal('open', remaining);
        return this.tryOut({ state: 'half-open', running: 0, succeeded: 0, lastBegan: 0 });
      }
      case 'half-open':
        return this.enterTrial(period);
      default:
        throw this.refusal('isolated', null);
    }
  }

  /** The call was answered. */
  succeeded(pass: BreakerPass): void {
    if (pass !== this.period) return;
    if (pass.state === 'closed') pass.count.success(CircuitState.Closed);
    if (pass.state !== 'half-open') return;
    pass.running -= 1;
    pass.succeeded += 1;
    if (pass.succeeded >= this.numbers.halfOpenCalls) this.close();
  }

  /** The call failed, and the dependency is to blame. */
  failed(pass: BreakerPass, error: unknown): void {
    if (pass !== this.period) return;
    this.lastFailure = error;
    if (pass.state === 'closed' && !pass.count.failure(CircuitState.Closed)) return;
    this.become({ state: 'open', since: this.clock.now() });
  }

  /** The call ended in a way that says nothing of the dependency. */
  abandoned(pass: BreakerPass): void {
    if (pass === this.period && pass.state === 'half-open') pass.running -= 1;
  }

  /** Refuses all calls until it is released. */
  isolate(): void {
    if (this.period.state !== 'isolated') this.become({ state: 'isolated' });
  }

  /** Ends {@link isolate}: it is closed, and has counted nothing. */
  release(): void {
    if (this.period.state === 'isolated') this.close();
  }

  private enterTrial(period: Period & { state: 'half-open' }): BreakerPass {
    if (period.running < this.numbers.halfOpenCalls) return this.tryOut(period);
    // One that never ends must not hold the breaker for ever: it no longer counts then.
    const remaining = period.lastBegan + this.numbers.openMs - this.clock.now();
    if (remaining > 0) throw this.refusal('half-open', null);
    return this.tryOut({ state: 'half-open', running: 0, succeeded: 0, lastBegan: 0 });
  }

  private tryOut(period: Period & { state: 'half-open' }): BreakerPass {
    period.running += 1;
    period.lastBegan = this.clock.now();
    if (period !== this.period) this.become(period);
    return period;
  }

  private close(): void {
    this.lastFailure = undefined;
    this.become({ state: 'closed', count: this.newCount() });
  }

  private become(period: Period): void {
    const isChange = period.state !== this.period.state;
    this.period = period;
    if (isChange) this.changed();
  }

  private opensFor({ since }: Period & { state: 'open' }): number {
    return Math.max(0, since + this.numbers.openMs - this.clock.now());
  }

  private refusal(state: BreakerOpenError['state'], retryAfterMs: number | null): BreakerOpenError {
    return new BreakerOpenError(this.policy, state, retryAfterMs, this.lastFailure);
  }

  private newCount(): IBreaker {
    return this.numbers.kind === 'consecutive'
      ? new ConsecutiveBreaker(this.numbers.failures)
      : new RatioCount(this.clock, this.numbers);
  }
}
