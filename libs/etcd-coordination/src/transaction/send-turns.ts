import type { MonotonicClock } from '../client/clock.js';

/** With so many under way, what comes waits to be merged with more. */
const FEW_UNDERWAY = 2;

/**
 * When what waits is sent: once it has waited for the window, and then as soon as the code that asks
 * for it has run, while nothing is under way; with the end of the turn of the event loop while little
 * is; and else when something has come back.
 */
export class SendTurns {
  private underway = 0;
  private isDue = false;
  private window: { readonly endsAt: number; readonly cancel: () => void } | null = null;

  constructor(
    private readonly clock: MonotonicClock,
    private readonly windowMs: number,
    /** Sends what waits, each time with {@link begin}, until there is nothing or {@link areTaken}. */
    private readonly send: () => void,
  ) {}

  /** Whether nothing is sent before something comes back. Whoever sends asks again then. */
  get areTaken(): boolean {
    return this.underway >= FEW_UNDERWAY;
  }

  /** Something waits since then, by the clock. */
  request(since: number): void {
    if (this.windowMs === 0) return this.hurry();
    if (this.isDue || this.areTaken) return;
    const endsAt = since + this.windowMs;
    const leftMs = endsAt - this.clock.now();
    if (leftMs <= 0) return this.hurry();
    if (this.window && this.window.endsAt <= endsAt) return;
    this.window?.cancel();
    this.window = { endsAt, cancel: this.clock.setTimer(this.windowOver, leftMs) };
  }

  /** What waits, waits for no window. */
  hurry(): void {
    if (this.isDue || this.areTaken) return;
    this.window?.cancel();
    this.window = null;
    this.isDue = true;
    // Whoever was answered together with the one that asks first has its microtask before this one.
    if (this.underway === 0) queueMicrotask(this.sendDue);
    else setImmediate(this.sendDue);
  }

  /** Something is sent: it is under way until it has come {@link back}. */
  begin(): void {
    this.underway += 1;
  }

  /**
   * What was sent has come back, and those who wait for it are told next: what they ask for then need not
   * wait for it.
   */
  back(): void {
    this.underway -= 1;
  }

  private readonly windowOver = (): void => this.hurry();

  private readonly sendDue = (): void => {
    this.isDue = false;
    this.send();
  };
}
