import type { KeyRange } from '../store/key-range.js';
import type { Change } from '../store/key-value.js';

/** What a watcher is told at once. */
export interface WatchBatch {
  /** Whole revisions, in order. */
  readonly changes: readonly Change[];
  /** The store's revision when the batch was made. */
  readonly revision: number;
}

/** Where a watcher's batches go. */
export interface WatchSink {
  /** Whether more can be sent without piling up. */
  readonly isWritable: boolean;
  changed(watcher: Watcher, batch: WatchBatch): void;
  compacted(watcher: Watcher, compactRevision: number): void;
}

/**
 * How a watcher stands to the store. `synced`: told of each write as it
 * happens. `lagging`: has history to read first. `compacted`: that history is
 * gone, so it hears nothing more. `cancelled`: the client let go of it.
 */
export type WatcherState = 'synced' | 'lagging' | 'compacted' | 'cancelled';

/** One watch of a client. */
export class Watcher {
  state: WatcherState = 'lagging';
  /** The first revision that it has not been told of. */
  nextRevision: number;

  constructor(
    readonly range: KeyRange,
    /** The revision that the client asked for; 0 is "from now on". */
    readonly startRevision: number,
    readonly sink: WatchSink,
  ) {
    this.nextRevision = startRevision;
  }
}
