import type { Slot } from '../../fleet/fleet.js';
import type { Battlefield, Fault } from '../fault.js';
import { isSucceeded, onFree, onHolder, wakes } from './victims.js';
import { pause } from './waiting.js';

export const freezeHolder: Fault = {
  kind: 'freeze holder',
  lane: 'processes',
  leastPerMinute: 2,
  inflict: (field) =>
    onHolder(field, async (caught) => {
      field.begun([caught.slot.id]);
      const succeeded = await isSucceeded(field, caught);
      const woke = await wakes(field, caught);
      return succeeded && woke;
    }),
};

export const killHolder: Fault = {
  kind: 'kill holder',
  lane: 'processes',
  leastPerMinute: 1,
  inflict: (field) => onHolder(field, ({ slot }) => kill(field, slot)),
};

export const killWorker: Fault = {
  kind: 'kill worker',
  lane: 'processes',
  leastPerMinute: 0,
  inflict: (field) => onFree(field, (slot) => kill(field, slot)),
};

export const freezeWorker: Fault = {
  kind: 'freeze worker',
  lane: 'processes',
  leastPerMinute: 0,
  inflict: (field) =>
    onFree(field, async (slot) => {
      field.begun([slot.id]);
      slot.worker.freeze();
      // Now and then just long enough to be noticed, now and then for longer than the lease lasts.
      await pause(field, field.ttlMs / 4, 3.5 * field.ttlMs);
      return !field.signal.aborted;
    }),
};

/** As a deployment does it: asked to end, awaited, and succeeded. */
export const restartWorker: Fault = {
  kind: 'restart worker',
  lane: 'processes',
  leastPerMinute: 0,
  inflict: (field) =>
    onFree(field, async (slot) => {
      const { id } = slot;
      field.begun([id]);
      const code = await field.fleet.end(slot);
      await field.fleet.succeed(slot);
      return code !== null;
    }),
};

async function kill({ fleet, begun }: Battlefield, slot: Slot): Promise<true> {
  const { id } = slot;
  begun([id]);
  await fleet.kill(slot);
  await fleet.succeed(slot);
  return true;
}
