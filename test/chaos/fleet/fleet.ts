import type { TcpProxy } from '../../support/tcp-proxy.js';
import type { WorkerProcess } from '../../support/worker-process.js';
import type { Holder } from '../works/work.js';
import type { Note } from '../history/note.js';

/** A place for one process after the other, with a way of its own to each member of etcd. */
export interface Slot {
  readonly index: number;
  /** In the order of the cluster's members; a replaced member keeps its place. */
  readonly ways: readonly TcpProxy[];
  readonly worker: WorkerProcess;
  /** `2.1` is the first successor of `2.0`. */
  readonly id: string;
  /** A fault is upon it: no other may choose it. Set and cleared by the fault. */
  busy: boolean;
}

/** A holder that stands still (SIGSTOP), certain to be that: what it noted says so. Its slot is busy. */
export interface Caught extends Holder {
  readonly slot: Slot;
}

/** The worker processes of a run and all that they noted. Implemented in `chaos-fleet.ts`. */
export interface Fleet {
  readonly slots: readonly Slot[];
  /** Everything that was noted so far, in order of time for each process. */
  look(): readonly Note[];
  /** The first note, those that came before included, that the predicate likes. */
  noted(likes: (note: Note) => boolean, what: string, timeoutMs: number): Promise<Note>;
  /** Stops a present holder of any work, frozen and certain; null if none was caught in that time. */
  catchHolder(timeoutMs: number): Promise<Caught | null>;
  /** A slot that runs and is not busy, marked busy; null if there is none. */
  takeFree(): Slot | null;
  /** kill -9; resolves when it is gone. Noted as killed. */
  kill(slot: Slot): Promise<void>;
  /** Another process in the place of one that has ended. */
  succeed(slot: Slot): Promise<void>;
  /** Told to the process on stdin: `{ jump: ms }` sets its wall clock, `{ block: ms }` blocks its event loop. */
  tell(slot: Slot, order: { readonly jump: number } | { readonly block: number }): void;
  /** Asks a process to close as an application does, and awaits its end; for orderly restarts in the middle. */
  end(slot: Slot): Promise<number | null>;
}
