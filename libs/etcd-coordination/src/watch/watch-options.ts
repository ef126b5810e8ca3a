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
const KNOWN = ['fromRevision', 'previous', 'onStanding'];

/** @throws InvalidWatchError for options that make no sense */
export function readWatchOptions(watched: Watched, options: WatchOptions = {}): WatchOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalid(watched, 'options', options, 'give an object, or leave them out');
  }
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) {
    throw new InvalidWatchError(
      `The watch on ${watched.label} has no option "${unknown}"; there are ${KNOWN.join(', ')}.`,
    );
  }
  const { fromRevision, previous, onStanding } = options as Record<string, unknown>;
  if (previous !== undefined && typeof previous !== 'boolean') {
    throw invalid(watched, 'option previous', previous, 'give true or false');
  }
  if (onStanding !== undefined && typeof onStanding !== 'function') {
    throw invalid(watched, 'option onStanding', onStanding, 'give a function');
  }
  if (fromRevision === undefined) return options;
  if (typeof fromRevision !== 'bigint' || fromRevision < 1n || fromRevision > LARGEST) {
    const cure = 'give a bigint from 1n on, such as the revision of an event';
    throw invalid(watched, 'option fromRevision', fromRevision, cure);
  }
  return options;
}

function invalid(watched: Watched, what: string, given: unknown, cure: string): InvalidWatchError {
  const verb = what === 'options' ? 'are' : 'is';
  return new InvalidWatchError(
    `The ${what} of the watch on ${watched.label} ${verb} ${inspect(given)}; ${cure}.`,
  );
}
