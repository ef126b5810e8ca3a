import type { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { KEYS } from './watched-keys.js';

/** A change of a key; null deletes it. */
export type Change = readonly [key: string, value: string | null];

/** How a system writes. Rejects if it fails, or may have. */
export interface WatchedWrites {
  one(change: Change): Promise<void>;
  /** At one revision. */
  together(changes: readonly Change[]): Promise<void>;
}

/** How many puts a burst sends at once. */
const BURST = 15;

/** Writes now and then: single keys, several together, and many at once. What becomes of it the watches tell. */
export function startWriter(
  { random, process }: Ground<never> | Ground,
  pace: Pace,
  writes: WatchedWrites,
): void {
  let written = 0;
  const anyKey = () => KEYS[random.int(0, KEYS.length - 1)]!;
  const value = () => `${process}-${(written += 1)}`;
  const change = (key: string): Change => [key, random.chance(0.25) ? null : value()];
  const several = () => new Set(Array.from({ length: random.int(2, 5) }, anyKey));
  const write = async () => {
    const choice = random.next();
    if (choice < 0.03) {
      await Promise.all(Array.from({ length: BURST }, () => writes.one([anyKey(), value()])));
    } else if (choice < 0.3) await writes.together([...several()].map(change));
    else await writes.one(change(anyKey()));
  };
  // In an outage it fails, or may have: the truth says what was written.
  pace.work('a writer of watched keys', [400, 1400], () => write().catch(() => undefined));
}
