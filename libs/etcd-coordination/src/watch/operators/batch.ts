import {
  asapScheduler,
  asyncScheduler,
  type OperatorFunction,
  type SchedulerLike,
  type Subscription,
} from 'rxjs';
import { InvalidWatchError } from '../watch.errors.js';
import { operate } from './operate.js';

/** When a batch is told: whichever comes first. At least one of them is to be given. */
export interface BatchOptions {
  /** As soon as it has this many events, and the revision of the last one is complete. */
  readonly count?: number;
  /** This long after its first event, in milliseconds. */
  readonly windowMs?: number;
}

/**
 * Gathers events into arrays. The events of one revision are never told apart, so an array
 * may hold more than `count`. What waits is told when the source ends, before its error too.
 *
 * @throws InvalidWatchError if neither limit is given, or one is not positive
 */
export function batch<E extends { readonly revision: bigint }>(
  { count, windowMs }: BatchOptions,
  scheduler: SchedulerLike = asyncScheduler,
): OperatorFunction<E, E[]> {
  if (count === undefined && windowMs === undefined) {
    throw new InvalidWatchError('batch() needs a count, a windowMs or both.');
  }
  if ((count !== undefined && !(count >= 1)) || (windowMs !== undefined && !(windowMs >= 0))) {
    throw new InvalidWatchError(
      'batch() needs a count of at least 1 and a windowMs of at least 0.',
    );
  }
  return operate<E, E[]>((source, subscriber) => {
    let waiting: E[] = [];
    let window: Subscription | undefined;
    let revisionEnd: Subscription | undefined;
    const stop = () => {
      window?.unsubscribe();
      revisionEnd?.unsubscribe();
      window = revisionEnd = undefined;
    };
    const flush = () => {
      stop();
      if (waiting.length === 0) return;
      const events = waiting;
      waiting = [];
      subscriber.next(events);
    };
    subscriber.add(stop);
    return source.subscribe({
      next: (event) => {
        const isFull = count !== undefined && waiting.length >= count;
        if (isFull && waiting.at(-1)!.revision !== event.revision) flush();
        waiting.push(event);
        if (windowMs !== undefined) window ??= scheduler.schedule(flush, windowMs);
        // A revision's events come one right after the other: its end is where they pause.
        if (count !== undefined && waiting.length >= count) {
          revisionEnd ??= asapScheduler.schedule(flush);
        }
      },
      error: (error) => {
        flush();
        subscriber.error(error);
      },
      complete: () => {
        flush();
        subscriber.complete();
      },
    });
  });
}
