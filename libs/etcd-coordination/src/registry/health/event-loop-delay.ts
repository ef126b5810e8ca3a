import { monitorEventLoopDelay } from 'node:perf_hooks';
import { failed, type CheckOutcome } from './check-answer.js';

/** Between two samples, in milliseconds. */
const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

/** How long the event loop was held up since the last look. */
export interface DelayMeter {
  /** The longest time, in milliseconds; what comes after counts for the next look. */
  take(): number;
  stop(): void;
}

/** Measures this process's event loop. */
export function eventLoopMeter(): DelayMeter {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return {
    take() {
      // A held-up loop takes no samples: by a percentile, seconds of it would be one among hundreds.
      const longestMs = histogram.max / NS_PER_MS;
      histogram.reset();
      // It records the time between two samples, not by how much that is too long.
      return Math.max(0, longestMs - RESOLUTION_MS);
    },
    stop: () => histogram.disable(),
  };
}

/** Holds what was measured against what may be. */
export function judgeDelay(delayMs: number, maxMs: number): CheckOutcome {
  if (delayMs <= maxMs) return { passed: true };
  return failed(`was held up for ${Math.round(delayMs)} ms, which may be ${maxMs} ms`);
}
