import { PeakEwma } from './peak-ewma.js';

/** What a call is taken for at least that failed although the instance had no latency yet, in milliseconds. */
const LEAST_FAILURE_MS = 1;
/** Failures that came at once make an instance look no slower than this, in milliseconds: it has to come back one day. */
const SLOWEST_FAILURE_MS = 10_000;

/** Of what is usual, one more answer moves this part. */
const USUAL_PART = 1 / 16;

/** What this process's own calls have taught it of one instance. */
export class InstanceStats {
  /** Calls that have begun and not ended. */
  inFlight = 0;
  /** Failures since the last success. */
  failuresInRow = 0;
  /** Ejections since the last success. */
  ejections = 0;
  /** How long an answer takes on the mean, in milliseconds; null if none has come yet. Failures are none. */
  usualMs: number | null = null;
  private readonly latency = new PeakEwma();

  /** How long a call takes, in milliseconds, by the calls until now; 0 if nothing is known. */
  latencyMs(now: number): number {
    return this.latency.now(now, this.inFlight);
  }

  succeeded(tookMs: number, now: number): void {
    this.failuresInRow = 0;
    this.ejections = 0;
    this.usualMs = usualAfter(this.usualMs, tookMs);
    this.latency.observe(tookMs, now);
  }

  /**
   * It counts as twice as slow as before: one that refuses at once would otherwise look like the
   * fastest, and draw all calls.
   */
  failed(tookMs: number, now: number): void {
    this.failuresInRow += 1;
    const before = this.latency.now(now);
    const slower = Math.max(before, Math.min(2 * before, SLOWEST_FAILURE_MS));
    this.latency.observe(Math.max(tookMs, slower, LEAST_FAILURE_MS), now);
  }

  /** Its latency is of another time. */
  forgetLatency(): void {
    this.latency.reset();
  }
}

/** What is usual after one more answer. */
export function usualAfter(usualMs: number | null, tookMs: number): number {
  return usualMs === null ? tookMs : usualMs + (tookMs - usualMs) * USUAL_PART;
}
