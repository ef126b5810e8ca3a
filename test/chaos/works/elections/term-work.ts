import { machineNow } from '../../../e2e/election/machine-clock.js';
import type { Owned } from '../owned/owned.js';
import type { Owner } from '../owned/owner.js';
import type { Pace } from '../pace.js';

/**
 * Leads for a while, writing now and then, and ends when the term has ended, or it is time to resign.
 *
 * @returns whether it is still to be resigned
 */
export async function leadFor(
  owner: Owner,
  pace: Pace,
  { owned, how, ms }: { readonly owned: Owned; readonly how: string; readonly ms: number },
): Promise<boolean> {
  const { random } = owner;
  const span = owner.granted(owned, how);
  const until = machineNow() + ms;
  while (!span.lost && !pace.isOver && machineNow() < until) {
    await pace.rest(30, 120);
    if (owned.isValid() && random.chance(0.15)) {
      void span.write(owned.guards[random.int(0, owned.guards.length - 1)]!);
    }
  }
  span.release();
  return !span.lost;
}
