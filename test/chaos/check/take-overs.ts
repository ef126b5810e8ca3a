import type { LifeNote, NemesisNote } from '../history/note.js';
import { grouped, inTime } from './in-time.js';
import type { OwnershipNote } from './ownership.js';

/** From what befell an owner to the next one's grant. */
export interface TakeOver {
  /** The kind of the fault; `close` for an owner that was asked to end. */
  readonly kind: string;
  readonly of: string;
  readonly from: string;
  readonly to: string;
  readonly ms: number;
}

/**
 * How long each owner that was killed, frozen, cut off or closed was followed by the next one. An owner that came
 * through, as it was still valid after that, was not followed because of it and makes no sample.
 */
export function takeOvers(
  owned: readonly OwnershipNote[],
  nemesis: readonly NemesisNote[],
  life: readonly LifeNote[],
): TakeOver[] {
  const blows = [
    ...nemesis.flatMap((note) =>
      note.type === 'fault-begun'
        ? note.targets.map((process) => ({ kind: note.kind, process, t: note.t }))
        : [],
    ),
    ...life.flatMap(({ type, process, t }) =>
      type === 'closing' ? [{ kind: 'close', process, t }] : [],
    ),
  ];
  return [...grouped(inTime(owned), ({ of }) => of)].flatMap(([of, its]) =>
    blows.flatMap((blow) => takeOver(of, its, blow)),
  );
}

/** The samples of a report: milliseconds by kind. */
export function takeOverSamples(all: readonly TakeOver[]): Record<string, number[]> {
  const byKind = grouped(all, ({ kind }) => kind);
  return Object.fromEntries([...byKind].map(([kind, its]) => [kind, its.map(({ ms }) => ms)]));
}

function takeOver(
  of: string,
  notes: readonly OwnershipNote[],
  { kind, process, t }: { readonly kind: string; readonly process: string; readonly t: number },
): TakeOver[] {
  const holder = holderAt(notes, t);
  if (holder?.process !== process) return [];
  const next = notes.find(
    (note) => note.type === 'granted' && note.t > t && note.token !== holder.token,
  );
  if (!next) return [];
  const closing = kind === 'close';
  const cameThrough = notes.some(
    (note) =>
      ((note.type === 'valid' && note.t > t + 1) || (note.type === 'released' && note.t > t)) &&
      note.t < next.t &&
      note.process === process &&
      note.token === holder.token,
  );
  if (cameThrough && !closing) return [];
  return [{ kind, of, from: process, to: next.process, ms: next.t - t }];
}

function holderAt(
  notes: readonly OwnershipNote[],
  t: number,
): { readonly process: string; readonly token: string } | null {
  let holder: { process: string; token: string } | null = null;
  for (const note of notes) {
    if (note.t > t) break;
    if (note.type === 'granted') holder = { process: note.process, token: note.token };
    const isOver = note.type === 'lost' || note.type === 'released';
    if (isOver && note.token === holder?.token) holder = null;
  }
  return holder;
}
