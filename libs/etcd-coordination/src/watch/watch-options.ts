import { inspect } from 'node:util';
import { InvalidWatchError } from './watch.errors.js';
import type { Watched } from './watch-stream.js';

/** How keys are watched. */
export interface WatchOptions {
  /**
   * Tells the history from this revision on, itself included, and goes on with what is new.
   * Left out, what is new is told. Such a watch is its subscriber's own.
   */
  readonly fromRevision?: bigint;
  /** Gives each event the value before it. The values are then kept in memory. Default false. */
  readonly previous?: boolean;
  /**
   * Called once when the watch stands: every change after `revision` will be told. Changes
   * before that, even since the subscription, may not be.
   */
  readonly onStanding?: (revision: bigint) => void;
}

const LARGEST = 2n ** 63n - 1n;

/** @throws InvalidWatchError for options that make no sense */
export function readWatchOptions(watched: Watched, options: WatchOptions = {}): WatchOptions {
  const { fromRevision } = options as { fromRevision?: unknown };
  if (fromRevision === undefined) return options;
  if (typeof fromRevision !== 'bigint' || fromRevision < 1n || fromRevision > LARGEST) {
    throw new InvalidWatchError(
      `The option fromRevision of the watch on ${watched.label} is ${inspect(fromRevision)}; give a bigint from 1n on, such as the revision of an event.`,
    );
  }
  return options;
}
