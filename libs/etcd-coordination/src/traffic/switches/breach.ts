import type { CallTally } from './call-window.js';
import type { AutoRule } from './switch-rule.js';

/** How much it takes to find a rule broken. */
export interface Strictness {
  /** With fewer calls, nothing is said of them. */
  readonly leastCalls: number;
  /** The share of the rule's error rate at which it is broken. */
  readonly errorShare: number;
}

/** More of a hundred than this being slow, the 99th percentile is. */
const SLOW_SHARE = 0.01;
/** Once, or twice, is chance: a single slow call is the 99th percentile of twenty. */
const LEAST_TIMES = 3;

/** In what a rule is broken, as a clause for people; null if it is not. */
export function breachOf(
  tally: CallTally,
  rule: AutoRule,
  { leastCalls, errorShare }: Strictness,
): string | null {
  const loop = loopBreach(tally, rule);
  if (loop !== null) return loop;
  const { calls, failed, slow } = tally;
  if (calls === 0 || calls < leastCalls) return null;
  const { errorRate, p99Ms, windowMs } = rule;
  if (errorRate !== null && failed / calls >= errorRate * errorShare) {
    return `${failed} of ${calls} calls within ${windowMs} ms failed (the limit is ${percent(errorRate * errorShare)})`;
  }
  if (p99Ms !== null && slow >= Math.min(LEAST_TIMES, calls) && slow > calls * SLOW_SHARE) {
    return `${slow} of ${calls} calls within ${windowMs} ms took longer than ${p99Ms} ms (one of a hundred may)`;
  }
  return null;
}

/** The part of {@link breachOf} that takes no calls. */
export function loopBreach({ heldUp }: CallTally, rule: AutoRule): string | null {
  if (rule.eventLoopDelayMs === null || heldUp < LEAST_TIMES) return null;
  return `the event loop was held up ${heldUp} times within ${rule.windowMs} ms for longer than ${rule.eventLoopDelayMs} ms`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
