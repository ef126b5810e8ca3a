import { type BatchNote, batchedValue, writeOf } from './batch-notes.js';
import type { Evidence, TrueEvent } from './evidence.js';
import { grouped } from './in-time.js';

/** Where what is written through batchers stands. */
export const BATCHED = 'batched/';

type NoteOf<T extends BatchNote['type']> = BatchNote & { readonly type: T };

/**
 * Every write that was acknowledged is in etcd, at the revision that was told; none is there twice, none that
 * was refused, and none that nobody asked for; those of a key came in the order in which they were asked for.
 */
export function batchedWriteFaults(
  notes: readonly BatchNote[],
  { truth }: Pick<Evidence, 'truth'>,
): string[] {
  const puts = truth.filter(({ type, key }) => type === 'put' && key.startsWith(BATCHED));
  const applied = grouped(puts, ({ value }) => value);
  const writing = byValue(notes, 'writing');
  return [
    ...[...applied].flatMap(([value, events]) => countFaults(value, events, writing.get(value))),
    ...[...byValue(notes, 'written')].flatMap(([value, note]) =>
      acknowledgedFaults(value, note, applied.get(value)?.[0]),
    ),
    ...[...byValue(notes, 'failed')].flatMap(([value, { outcome, code }]) =>
      outcome === 'refused' && applied.has(value)
        ? [`The write ${value} was refused with ${code}, and etcd has it.`]
        : [],
    ),
    ...[...grouped(puts, ({ key }) => key).values()].flatMap(orderFaults),
  ];
}

/** A read shows no less than its process knew to be written when it began, and nothing that was not asked for yet. */
export function batchedReadFaults(notes: readonly BatchNote[]): string[] {
  return [...grouped(notes, ({ process }) => process)].flatMap(([process, own]) =>
    readFaultsOf(process, own),
  );
}

function countFaults(
  value: string,
  events: readonly TrueEvent[],
  asked: NoteOf<'writing'> | undefined,
): string[] {
  const revisions = events.map(({ revision }) => revision).join(', ');
  if (!asked) return [`The write ${value} is in etcd at ${revisions}, and nobody asked for it.`];
  if (events.length === 1) return [];
  return [`The write ${value} was applied ${events.length} times, at ${revisions}.`];
}

function acknowledgedFaults(
  value: string,
  { revision }: NoteOf<'written'>,
  event: TrueEvent | undefined,
): string[] {
  if (!event) return [`The write ${value} was acknowledged at ${revision}, and etcd lacks it.`];
  if (event.revision === BigInt(revision)) return [];
  return [
    `The write ${value} was acknowledged at ${revision}, and etcd has it at ${event.revision}.`,
  ];
}

function orderFaults(events: readonly TrueEvent[]): string[] {
  return events.flatMap((event, index) => {
    const before = events[index - 1];
    if (!before || writeOf(before.value) <= writeOf(event.value)) return [];
    return [
      `${event.key} was given ${event.value} at ${event.revision}, after ${before.value} at ${before.revision}, which was asked for later.`,
    ];
  });
}

function readFaultsOf(process: string, notes: readonly BatchNote[]): string[] {
  const faults: string[] = [];
  const keyOf = new Map<number, string>();
  /** By key: the newest write that is known to be there, and the newest that was asked for. */
  const known = new Map<string, number>();
  const asked = new Map<string, number>();
  const atLeast = new Map<number, { readonly key: string; readonly write: number }>();
  for (const note of notes) {
    if (note.type === 'writing') {
      keyOf.set(note.write, note.key);
      asked.set(note.key, note.write);
    } else if (note.type === 'written') {
      const key = keyOf.get(note.write) ?? '';
      known.set(key, Math.max(known.get(key) ?? 0, note.write));
    } else if (note.type === 'reading') {
      atLeast.set(note.read, { key: note.key, write: known.get(note.key) ?? 0 });
    } else if (note.type === 'read') {
      const { key, write } = atLeast.get(note.read) ?? { key: '', write: 0 };
      const shown = note.value === null ? 0 : writeOf(note.value);
      const what = `Process ${process} read ${note.value ?? 'nothing'} in ${key}`;
      if (shown < write) faults.push(`${what}, and write ${write} had been acknowledged before.`);
      if (shown > (asked.get(key) ?? 0)) faults.push(`${what}, which nobody had asked for.`);
    }
  }
  return faults;
}

function byValue<T extends 'writing' | 'written' | 'failed'>(
  notes: readonly BatchNote[],
  type: T,
): Map<string, NoteOf<T>> {
  const found = new Map<string, NoteOf<T>>();
  for (const note of notes) {
    if (note.type !== type) continue;
    const one = note as NoteOf<T>;
    found.set(batchedValue(one.process, one.write), one);
  }
  return found;
}
