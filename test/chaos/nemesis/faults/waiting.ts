import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../../support/wait-for.js';
import type { Note } from '../../history/note.js';
import type { Battlefield } from '../fault.js';

/** So many milliseconds between two bounds, or until the run heals. */
export function pause(field: Battlefield, leastMs: number, mostMs = leastMs): Promise<void> {
  const ms = field.random.int(Math.round(leastMs), Math.round(mostMs));
  return sleep(ms, undefined, { signal: field.signal }).catch(() => undefined);
}

/** True as soon as the condition holds; false if it did not in that time, or the run heals before. */
export async function comesAbout(
  { signal }: Battlefield,
  condition: () => unknown,
  timeoutMs: number,
): Promise<boolean> {
  let met = false;
  const asked = async () => (met = Boolean(await condition())) || signal.aborted;
  await waitFor(asked, { timeoutMs, intervalMs: 20, what: 'a fault to hit' }).catch(
    () => undefined,
  );
  return met;
}

/**
 * True as soon as a note like this was taken.
 * @param from how many notes there were when it began to count
 */
export function isNoted(
  field: Battlefield,
  from: number,
  likes: (note: Note) => boolean,
  timeoutMs: number,
): Promise<boolean> {
  let seen = from;
  const look = () => {
    const notes = field.fleet.look();
    while (seen < notes.length) if (likes(notes[seen++]!)) return true;
    return false;
  };
  return comesAbout(field, look, timeoutMs);
}
