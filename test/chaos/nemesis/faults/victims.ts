import type { Caught, Slot } from '../../fleet/fleet.js';
import type { Battlefield } from '../fault.js';
import { isNoted, pause } from './waiting.js';

const CATCH_MS = 5_000;
const CATCH_SHORTLY_MS = 500;
const WAKE_MS = 5_000;

/** Acts on a present holder, which stands still and is let go afterwards; false if none was caught. */
export async function onHolder(
  field: Battlefield,
  act: (caught: Caught) => Promise<boolean>,
): Promise<boolean> {
  const caught = await field.fleet.catchHolder(CATCH_MS);
  return caught !== null && onSlot(caught.slot, () => act(caught));
}

/** Acts on a process that nothing is done to yet; false if there is none. */
export async function onFree(
  field: Battlefield,
  act: (slot: Slot) => Promise<boolean>,
): Promise<boolean> {
  const slot = field.fleet.takeFree();
  return slot !== null && onSlot(slot, () => act(slot));
}

/** Acts on a present holder, which runs, or on anybody if none was caught. */
export async function onHolderOrFree(
  field: Battlefield,
  act: (slot: Slot) => Promise<boolean>,
): Promise<boolean> {
  const caught = await field.fleet.catchHolder(CATCH_SHORTLY_MS);
  if (!caught) return onFree(field, act);
  caught.slot.worker.thaw();
  return onSlot(caught.slot, () => act(caught.slot));
}

/**
 * Waits for 3 × TTL at least, so that a holder that counts wrongly goes on for longer than its lease, and until
 * another process has what this one had; whether it has.
 */
export async function isSucceeded(
  field: Battlefield,
  caught: Caught,
  atLeastMs = 3 * field.ttlMs + 50,
): Promise<boolean> {
  const { slot, of, token } = caught;
  const { id } = slot;
  const from = field.fleet.look().length;
  await pause(field, atLeastMs);
  const next = (note: object) => {
    const grant = note as { type?: string; process?: string; of?: string; token?: string };
    if (grant.type !== 'granted' || grant.of !== of || grant.process === id) return false;
    return BigInt(grant.token ?? 0) > BigInt(token);
  };
  return isNoted(field, from, next, Math.max(8_000, 3 * field.ttlMs));
}

/** Lets a frozen holder go on; whether it has noticed that it had stood still. Others prove nothing. */
export function wakes(field: Battlefield, { slot, token }: Caught): Promise<boolean> {
  const from = field.fleet.look().length;
  const { id } = slot;
  slot.worker.thaw();
  const woke = (note: object) => {
    const waking = note as { type?: string; process?: string; token?: string };
    return waking.type === 'woke' && waking.process === id && waking.token === token;
  };
  return isNoted(field, from, woke, WAKE_MS);
}

async function onSlot(slot: Slot, act: () => Promise<boolean>): Promise<boolean> {
  try {
    return await act();
  } finally {
    slot.worker.thaw();
    await Promise.all(slot.ways.map((way) => way.pass()));
    slot.busy = false;
  }
}
