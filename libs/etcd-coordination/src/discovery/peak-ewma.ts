/** What was measured this long ago counts a third. */
const DEFAULT_DECAY_MS = 10_000;

/** An answer counts for a sixteenth at least, however soon it comes after the one before. */
const MOST_KEPT = 15 / 16;

/**
 * A mean of latencies that forgets with time and with answers, and takes a greater one over at once: it
 * is quick to believe that an instance has become slow, and slower to believe that it is well again.
 * Without calls it falls, so that a slow one is tried anew.
 *
 * @see Finagle's and linkerd's peak EWMA
 */
export class PeakEwma {
  private value = 0;
  private at = -Infinity;

  constructor(private readonly decayMs = DEFAULT_DECAY_MS) {}

  /**
   * Milliseconds; 0 if nothing is known.
   *
   * @param waiting how many wait for an answer: the more do, the less does silence say that it is well again
   */
  now(now: number, waiting = 0): number {
    if (this.value === 0) return 0;
    return this.value * Math.exp((this.at - now) / (this.decayMs * (waiting + 1)));
  }

  observe(latencyMs: number, now: number): void {
    if (latencyMs >= this.value) {
      this.value = latencyMs;
    } else {
      // By time alone, one stall of the caller's own would outweigh a hundred quick answers after it.
      const kept = Math.min(Math.exp((this.at - now) / this.decayMs), MOST_KEPT);
      this.value = this.value * kept + latencyMs * (1 - kept);
    }
    this.at = now;
  }

  reset(): void {
    this.value = 0;
  }
}
