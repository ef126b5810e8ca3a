import { setTimeout as pause } from 'node:timers/promises';
import { machineNow } from '../../../e2e/election/machine-clock.js';
import type { Owned } from '../owned/owned.js';
import type { Owner } from '../owned/owner.js';

/** Works under a lock for a while; the caller gives it back at once afterwards. */
export async function lockTurn(owner: Owner, owned: Owned, how: string): Promise<void> {
  const { random } = owner;
  const span = owner.granted(owned, how);
  try {
    // A fence whose key was read is no longer passed on behind that key: both kinds of turns are wanted.
    const guard = owned.guards[random.chance(0.6) ? 0 : owned.guards.length - 1]!;
    const first = random.chance(0.35) ? span.write(guard) : null;
    if (random.chance(0.7)) await first;
    const until = machineNow() + spanMs(owner);
    while (machineNow() < until && !span.lost) await pause(random.int(1, 5));
    // Nobody waits for some of these: they are on the way when the lock is given back.
    const last = random.chance(0.15) ? span.write(guard) : null;
    if (random.chance(0.5)) await last;
  } finally {
    span.release();
  }
}

/** Most turns are short; some last, so that a fault finds a holder. */
function spanMs({ random }: Owner): number {
  if (random.chance(0.03)) return random.int(200, 500);
  return random.chance(0.3) ? random.int(10, 60) : random.int(0, 10);
}
