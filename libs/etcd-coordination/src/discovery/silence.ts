/** Why somebody gave up who gives no reason, such as one who unsubscribes. */
export class UnsaidReason extends Error {
  constructor() {
    super('Nobody waits for the answer any more.');
  }
}

/** Silence of this length is none that a deadline would have cut short, in milliseconds. */
const CERTAIN_MS = 100;
/** So many times as long as usual nobody waits who is not tired of it. */
const TIRED_AFTER = 10;
/** The same in milliseconds, where nothing is known of what is usual. */
const TIRED_AFTER_MS = 1000;

/**
 * Whether one who gave up did so because the instance was silent: his deadline has come, or he has waited far
 * longer than usual. Where little was left of a deadline as the call began, its end says nothing.
 *
 * @param waitedMs since the instance was called
 * @param usualMs how long an answer takes, or null if none has come yet
 */
export function isFedUp(why: unknown, waitedMs: number, usualMs: number | null): boolean {
  if (why instanceof UnsaidReason) {
    return waitedMs >= (usualMs === null ? TIRED_AFTER_MS : TIRED_AFTER * Math.max(10, usualMs));
  }
  return isTimeout(why) && waitedMs >= Math.min(CERTAIN_MS, usualMs ?? 0);
}

/** `AbortSignal.timeout`, RxJS and this library name theirs so. */
function isTimeout(why: unknown): boolean {
  try {
    const name = (why as { readonly name?: unknown } | null | undefined)?.name;
    return typeof name === 'string' && name.endsWith('TimeoutError');
  } catch {
    // Anything can be a reason, and some of it cannot even be looked at.
    return false;
  }
}
