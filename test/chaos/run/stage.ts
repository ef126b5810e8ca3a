import type { Compaction, TrueEvent } from '../check/evidence.js';
import type { Note, NemesisNote } from '../history/note.js';
import type { NoteTaker } from '../history/notebook.js';
import type { ChaosWork } from '../works/work.js';
import type { DemandedFault } from './judge.js';

/** All that a run plays on: real processes and a real etcd in `real-stage.ts`. */
export interface Stage {
  readonly etcdVersion: string;
  /** As etcd granted it. */
  readonly ttlMs: number;
  /** Those that the system can do. */
  readonly works: readonly ChaosWork[];
  /** Those that the nemesis chooses from. */
  readonly faults: readonly DemandedFault[];
  /** What could not be had here for other faults, each with its reason in a whole sentence. */
  readonly lacks: readonly string[];
  /** Where the notes of this run are. */
  readonly folder: string;
  readonly book: NoteTaker<NemesisNote>;
  readonly fleet: Processes;
  readonly truth: Truth;
  readonly compactions: readonly Compaction[];
  /** What went wrong with the faults themselves, as whole sentences. */
  readonly problems: readonly string[];
  /** Does harm until the signal aborts, and has undone all of it when it resolves. */
  harm(signal: AbortSignal): Promise<void>;
  /** Whatever was done to etcd and to the processes' ways to it is over. */
  heal(): Promise<void>;
  /** Leaves nothing running. */
  stop(): Promise<void>;
}

/** What a run itself needs of the fleet. */
export interface Processes {
  readonly slots: readonly { readonly id: string }[];
  readonly killed: ReadonlySet<string>;
  readonly ends: ReadonlyMap<string, number | null>;
  look(): readonly Note[];
  /** As they were read: those of one process in their order. */
  notesOf(work: string): readonly Note[];
  listen(listener: (note: Note) => void): void;
  /** Asks all to end, and resolves when they have. */
  finish(): Promise<unknown>;
}

/** What etcd itself says, without the library, past every proxy. */
export interface Truth {
  /** Every event so far; the same array, longer. */
  readonly events: readonly TrueEvent[];
  /** What was compacted away before it was told, as sentences: the run is worth nothing then. */
  readonly missed: readonly string[];
  /** A linearizable list, after which {@link events} has all that came before it. */
  finalList(): Promise<readonly TrueEvent[]>;
}
