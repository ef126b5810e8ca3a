import type { LifeNote } from '../../history/note.js';
import type { Fault } from '../fault.js';
import { onHolderOrFree } from './victims.js';
import { isNoted, pause } from './waiting.js';

const HOUR_MS = 3_600_000;
const NOTED_MS = 10_000;

/** There and back again: both are jumps that a wall clock makes, and neither may mean anything. */
export const jumpClock: Fault = {
  kind: 'jump wall clock',
  lane: 'processes',
  leastPerMinute: 1,
  inflict: (field) =>
    onHolderOrFree(field, async (slot) => {
      const { id } = slot;
      const { fleet } = field;
      const jump = field.random.chance(0.5) ? HOUR_MS : -HOUR_MS;
      const from = fleet.look().length;
      field.begun([id]);
      fleet.tell(slot, { jump });
      try {
        await pause(field, field.ttlMs, 2 * field.ttlMs);
      } finally {
        fleet.tell(slot, { jump: -jump });
      }
      const back = (note: object) => {
        const { process, type, byMs } = note as LifeNote & { byMs?: number };
        return process === id && type === 'clock-jumped' && byMs === -jump;
      };
      return await isNoted(field, from, back, NOTED_MS);
    }),
};

export const blockEventLoop: Fault = {
  kind: 'block event loop',
  lane: 'processes',
  leastPerMinute: 1,
  inflict: (field) =>
    onHolderOrFree(field, async (slot) => {
      const { id } = slot;
      const { fleet, ttlMs, random } = field;
      // Every other time the lease ends meanwhile.
      const [least, most] = random.chance(0.5) ? [0.2, 0.8] : [1.2, 3];
      const block = random.int(least * ttlMs, most * ttlMs);
      const from = fleet.look().length;
      field.begun([id]);
      fleet.tell(slot, { block });
      const over = ({ process, type }: { process: string; type: string }) =>
        process === id && type === 'unblocked';
      return await isNoted(field, from, over, block + NOTED_MS);
    }),
};
