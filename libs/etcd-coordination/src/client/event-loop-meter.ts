import { monitorEventLoopDelay } from 'node:perf_hooks';

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
