/** A clock that never goes backwards, and its timers; injected so that tests can drive time. */
export interface MonotonicClock {
  /** Milliseconds since some fixed moment. */
  now(): number;
  /** Calls `callback` once, `delayMs` from now. Returns what cancels it. */
  setTimer(callback: () => void, delayMs: number): () => void;
}

/**
 * The machine's monotonic clock. Wall-clock jumps do not touch it.
 * A suspended machine stops it; fencing tokens cover that case.
 */
export const systemClock: MonotonicClock = {
  now: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
