/** What was measured this long ago counts a third. */
const DEFAULT_DECAY_MS = 10_000;

/**
 * A mean of latencies that forgets with time, and takes a greater one over at once: it is quick to
 * believe that an instance has become slow, and slow to believe that it is well again. Without
 * calls it falls, so that a slow one is tried anew.
 *
 * @see Finagle's and linkerd's peak EWMA
 */
export class PeakEwma {
  private value = 0;
  private at = -Infinity;

  constructor(private readonly decayMs = DEFAULT_DECAY_MS) {}

  /** Milliseconds; 0 if nothing is known. */
  now(now: number): number {
    return this.value === 0 ? 0 : this.value * Math.exp((this.at - now) / this.decayMs);
  }

  observe(latencyMs: number, now: number): void {
    if (latencyMs >= this.value) {
      this.value = latencyMs;
    } else {
      const kept = Math.exp((this.at - now) / this.decayMs);
      this.value = this.value * kept + latencyMs * (1 - kept);
    }
    this.at = now;
  }

  reset(): void {
    this.value = 0;
  }
}
