import type { EtcdNote, NemesisNote } from '../history/note.js';
import { FAULTS } from '../nemesis/faults/index.js';
import type { Lane } from '../nemesis/fault.js';
import type { Evidence } from './evidence.js';

/** A time in which something was not as it should be. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What was done to etcd, and to the ways to it. */
export interface Harm extends Span {
  readonly lane: Lane;
  readonly kind: string;
  /** Processes, members, or `all`. */
  readonly targets: readonly string[];
}

/** The raw watch may hang at a member that was cut off, for as long as that is; otherwise only its own process holds it up. */
const UNHEARD_MS = 12_000;
const HEARD_MS = 1000;

const LANES = new Map(FAULTS.map(({ kind, lane }) => [kind, lane]));

/** Every fault from its beginning to its end; one that never ended goes on for ever. */
export function harmsOf({ notesOf }: Pick<Evidence, 'notesOf'>): Harm[] {
  const notes = notesOf<NemesisNote>('nemesis');
  const overAt = new Map(
    notes.flatMap((note) => (note.type === 'fault-over' ? [[note.fault, note.t]] : [])),
  );
  return notes.flatMap((note) => {
    if (note.type !== 'fault-begun') return [];
    const { kind, targets, fault, t: from } = note;
    const lane = LANES.get(kind) ?? 'etcd';
    return [{ kind, targets, lane, from, to: overAt.get(fault) ?? Infinity }];
  });
}

/** Those that keep etcd, or a process's way to it, from working. A way outlives the process: its successor takes it. */
export function hinders({ lane, targets }: Harm, process: string): boolean {
  if (lane === 'etcd' || targets.includes('all')) return true;
  return lane === 'network' && targets.some((target) => slotOf(target) === slotOf(process));
}

/** When the raw watch heard of a new leader: of one that no fault asked for, too. */
export function newLeadersAt({ notesOf }: Pick<Evidence, 'notesOf'>): number[] {
  return notesOf<EtcdNote>('etcd').map(({ t }) => t);
}

/** How late that may have been which the raw watch told at that moment. */
export function unheardMs(t: number, harms: readonly Harm[]): number {
  const before = { from: t - UNHEARD_MS, to: t };
  const isHarmed = harms.some((harm) => harm.lane === 'etcd' && meets(harm, before));
  return isHarmed ? UNHEARD_MS : HEARD_MS;
}

/** Whether two spans have a moment in common. */
export function meets(a: Span, b: Span): boolean {
  return a.from <= b.to && b.from <= a.to;
}

function slotOf(process: string): string {
  return process.split('.', 1)[0]!;
}
