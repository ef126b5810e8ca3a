import type { Evidence } from './evidence.js';
import { LIMIT, type LimitNote, SLOT_MS, WINDOW } from './limit-notes.js';

/** By how much a window may have more: the burst that a limit of the fleet has unless it is told otherwise. */
const SLACK = 1.1;
/** Parts that are rounded, and divided among few or many at slightly different moments. */
const SHARES = 1.02;
/**
 * What is borrowed is over 3 s after its borrower has sent the word with which it asked for it, and it has heard that
 * word itself before the answer: so 1.5 s after nobody need reckon with it, and what slots say too roughly.
 */
const BORROWED_MS = 1500 + 3 * SLOT_MS;
/** And over in any case so long after it was sent, whenever that word and the answer to it are heard. */
const LENT_MS = 3000 + 3 * SLOT_MS;
/** Whoever is offered more than enough lets something through within so many slots. */
const IDLE_SLOTS = 25;

type Slots = ReadonlyMap<number, LimitNote>;

/** The notes of each process by slot. */
export function slotsOf(notes: readonly LimitNote[]): Map<string, Slots> {
  const processes = new Map<string, Map<number, LimitNote>>();
  for (const note of notes) {
    const slots = processes.get(note.process) ?? new Map<number, LimitNote>();
    processes.set(note.process, slots.set(note.slot, note));
  }
  return processes;
}

/**
 * In no second do all that are confirmed let more through than the limit and its burst, and one call each; and in
 * no second have they had more than the whole of it.
 */
export function sumFaults(notes: readonly LimitNote[]): string[] {
  const processes = slotsOf(notes);
  let [first, last] = [Infinity, -Infinity];
  for (const { slot } of notes) [first, last] = [Math.min(first, slot), Math.max(last, slot)];
  const faults: string[] = [];
  for (let slot = first; slot <= last - WINDOW + 1; slot += 1) {
    let [admitted, shares, those] = [0, 0, 0];
    for (const slots of processes.values()) {
      const window = windowOf(slots, slot);
      admitted += sum(window.map(({ confirmed }) => confirmed));
      if (window.length > 0) those += 1;
      if (window.length < WINDOW || !window.every(({ isConfirmed }) => isConfirmed)) continue;
      shares += Math.min(...window.map(({ least }) => least));
    }
    if (admitted > SLACK * LIMIT + those) {
      faults.push(
        `In the second from ${slot * SLOT_MS} all together let ${admitted} calls through, of a limit of ${LIMIT}.`,
      );
    }
    if (shares > SHARES) {
      faults.push(
        `In the second from ${slot * SLOT_MS} all together had ${shares.toFixed(3)} of the limit, and nobody may have what another one has.`,
      );
    }
  }
  return faults;
}

/** Whatever a process is cut off from, it lets no more through than what it says that it has. */
export function ownShareFaults(notes: readonly LimitNote[]): string[] {
  return [...slotsOf(notes)].flatMap(([process, slots]) =>
    [...slots.keys()].flatMap((slot) => {
      const window = windowOf(slots, slot);
      const admitted = sum(window.map(({ confirmed, unconfirmed }) => confirmed + unconfirmed));
      const most = Math.max(...window.map((note) => note.most), slots.get(slot - 1)?.most ?? 0);
      if (admitted <= SLACK * LIMIT * most + 2) return [];
      return [
        `${process} let ${admitted} calls through in the second from ${slot * SLOT_MS}, and had at most ${most.toFixed(3)} of the limit of ${LIMIT}.`,
      ];
    }),
  );
}

/**
 * Who was not heard of for longer than anything is lent has nothing that is borrowed. One whose watch stands still, and
 * whose words reach etcd, is heard of by the others; what they have lent it it may learn when its watch goes on.
 */
export function borrowerFaults(
  notes: readonly LimitNote[],
  { truth }: Pick<Evidence, 'truth'>,
  prefix: string,
): string[] {
  const since = new Map<string, number>();
  return notes.flatMap(({ process, slot, isConfirmed, borrowedUnheard: borrowed }) => {
    if (isConfirmed) since.delete(process);
    else if (!since.has(process)) since.set(process, slot);
    const forMs = (slot - (since.get(process) ?? slot)) * SLOT_MS;
    if (borrowed === 0 || forMs <= BORROWED_MS) return [];
    const at = slot * SLOT_MS;
    const own = `${prefix}${process}/`;
    const wasHeard = truth.some(
      ({ type, key, t }) =>
        type === 'put' && key.startsWith(own) && t >= at - LENT_MS && t <= at + SLOT_MS,
    );
    if (wasHeard) return [];
    return [
      `${process} had borrowed ${borrowed.toFixed(3)} of the limit at ${at}, and was heard of last ${forMs} ms before.`,
    ];
  });
}

/** Nobody is left with nothing for long, cut off or not. */
export function starvedFaults(notes: readonly LimitNote[]): string[] {
  return [...slotsOf(notes)].flatMap(([process, slots]) => {
    let starved = 0;
    let before = -Infinity;
    return [...slots.values()].flatMap(({ slot, offered, confirmed, unconfirmed }) => {
      const isStarved = offered >= (LIMIT * SLOT_MS) / 1000 && confirmed + unconfirmed === 0;
      // One that did not run was offered nothing.
      starved = isStarved && slot === before + 1 ? starved + 1 : 0;
      before = slot;
      if (starved !== IDLE_SLOTS) return [];
      return [
        `${process} let nothing through for ${(IDLE_SLOTS * SLOT_MS) / 1000} s until ${slot * SLOT_MS}, though it was offered more than the limit.`,
      ];
    });
  });
}

function windowOf(slots: Slots, from: number): LimitNote[] {
  const window: LimitNote[] = [];
  for (let slot = from; slot < from + WINDOW; slot += 1) {
    const note = slots.get(slot);
    if (note) window.push(note);
  }
  return window;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
