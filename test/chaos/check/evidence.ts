import type { Note } from '../history/note.js';

/** All that is known of a run once it is over, or so far. */
export interface Evidence {
  /** The notes of one work (`life` and `nemesis` too), in order of time; those of one process keep their order. */
  notesOf<N extends Note = Note>(work: string): readonly N[];
  /**
   * Every event of the run's namespace, in order, as an unfiltered raw watch straight at one member saw it,
   * without this library.
   */
  readonly truth: readonly TrueEvent[];
  /** A linearizable list of the namespace, read past every proxy after all processes have ended; before that, empty. */
  readonly finalList: readonly TrueEvent[];
  /** Processes whose end was asked for and awaited, with their exit codes; null if one had to be killed. */
  readonly ends: ReadonlyMap<string, number | null>;
  /** Processes that were killed as a fault, by `process`. */
  readonly killed: ReadonlySet<string>;
  /** Processes that ran when everything was healed. */
  readonly survivors: readonly string[];
  /** Every compaction of the history that was asked for during the run: what excuses a `resync` of a watch. */
  readonly compactions: readonly Compaction[];
  /** The session's TTL as etcd granted it. */
  readonly ttlMs: number;
  /** Null until the healing. */
  readonly healedAt: number | null;
}

/** A compaction, noted before it is asked for: it may have happened from then on. */
export interface Compaction {
  readonly revision: bigint;
  /** By the machine's clock. */
  readonly askedAt: number;
}

/** An event of etcd, or a key of a list (`put` at its `mod_revision`). */
export interface TrueEvent {
  readonly type: 'put' | 'delete';
  /** Without the namespace. */
  readonly key: string;
  /** Empty for a delete. */
  readonly value: string;
  readonly revision: bigint;
  readonly createRevision: bigint;
  /** How often the key was put since its creation. */
  readonly version: number;
  /** Decimal; `0` for none. */
  readonly lease: string;
  /** When the raw watch told it, by the machine's clock; 0 in a list. */
  readonly t: number;
}

/** Violations by promise, each a whole sentence with the moments, processes and revisions that prove it. */
export type Verdicts = Readonly<Partial<Record<PromiseName, readonly string[]>>>;

/** The promises of the design, as far as chaos attacks them; the report has a line for each. */
export const PROMISES = {
  'one-owner': 'One valid owner at a time',
  tokens: 'Tokens are unique and rise',
  fencing: 'No guarded write from an older token is accepted',
  loss: 'What is lost stays lost, and its signal and its clock agree',
  watch: 'A watch is ordered, unique, reliable, atomic and resumable',
  state: 'Watched state is what etcd holds',
  linearizable: 'Registers are linearizable',
  counters: 'No increment is lost or applied twice',
  config: 'Configuration is never older than the last good one, and never invalid',
  registry:
    'The registry shows what is alive, an outage empties nothing, and calls find who answers',
  limits: 'A limit of the fleet is kept by all together, and leaves nobody with nothing',
  batches: 'Every acknowledged batched write is there, once and in order',
  shutdown: 'A closed process has handed over, left no key and ended by itself',
  errors: 'Every error has a code of ours and says what to do',
  liveness: 'All is right again within a computed bound of the healing',
} as const;

export type PromiseName = keyof typeof PROMISES;

/** Lines of the report: names in plain words, counts or milliseconds. */
export interface Figures {
  readonly counts: Readonly<Record<string, number>>;
  /** Operations by outcome, for the works that have any. */
  readonly operations?: {
    readonly ok: number;
    readonly failed: number;
    readonly ambiguous: number;
  };
  /** Samples that the report plots, such as take-over times in milliseconds, by the fault's kind. */
  readonly samples?: Readonly<Record<string, readonly number[]>>;
}
