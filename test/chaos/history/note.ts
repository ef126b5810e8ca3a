/**
 * What every process of a run notes down: one line of JSON each, written before the next statement runs, so that
 * kill -9 loses none. A work has notes of its own, all of this shape; `works/<name>/notes.ts` spells them out.
 */
export interface Note {
  /** Milliseconds of the machine's monotonic clock, which all processes share (`machineNow`). */
  readonly t: number;
  /** Slot and incarnation of the process: `2.1` is the first successor of process `2.0`; `run` is the run itself. */
  readonly process: string;
  /** The name of the work that noted it; `life` for what each process says of itself, `nemesis` for faults. */
  readonly work: string;
  readonly type: string;
}

/** What a note says beside its moment and its process. */
export type Entry<N extends Note> = N extends Note ? Omit<N, 't' | 'process' | 'work'> : never;

/** What each process says of itself, whatever its work (`work: 'life'`). */
export type LifeNote = Note &
  (
    | { readonly type: 'started' }
    /** It was asked to end, and begins to close. */
    | { readonly type: 'closing' }
    | { readonly type: 'closed' }
    /** Its wall clock was set forward by so many milliseconds, or back. */
    | { readonly type: 'clock-jumped'; readonly byMs: number }
    /** Its event loop was blocked on purpose for so long, and runs again. */
    | { readonly type: 'unblocked'; readonly afterMs: number }
    /** An error that nobody should see: an unhandled rejection, one without a code of ours, a hook that threw. */
    | { readonly type: 'fault'; readonly message: string }
  );

/** What was done to the processes and to etcd (`work: 'nemesis'`, `process: 'run'`). */
export type NemesisNote = Note &
  (
    | {
        readonly type: 'fault-begun';
        /** Different for each. */
        readonly fault: string;
        /** Such as `freeze holder`; a line of the report. */
        readonly kind: string;
        /** Slot ids, names of members. */
        readonly targets: readonly string[];
      }
    | {
        readonly type: 'fault-over';
        readonly fault: string;
        /** False if it turned out that it hit nobody: then it proves nothing and is not counted. */
        readonly hit: boolean;
      }
    /** A member of etcd that a fault had frozen is about to go on. */
    | { readonly type: 'thawed'; readonly fault: string; readonly member: string }
    /** From here on everything is well: no fault begins any more, and none goes on. */
    | { readonly type: 'healed' }
  );

/** What the raw watch says of etcd itself (`work: 'etcd'`, `process: 'run'`). */
export type EtcdNote = Note & {
  /** A leader was elected; or, as the first such note, it leads since before that. */
  readonly type: 'term';
  /** Of Raft, decimal. */
  readonly term: string;
};
