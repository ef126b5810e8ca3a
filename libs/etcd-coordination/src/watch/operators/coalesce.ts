import { inspect } from 'node:util';
import {
  asyncScheduler,
  type MonoTypeOperatorFunction,
  type SchedulerLike,
  type Subscription,
} from 'rxjs';
import { InvalidWatchError } from '../watch.errors.js';
import { operate } from './operate.js';

/**
 * Lets through the newest event of each key, once a window of `windowMs` milliseconds, in
 * the order in which those events came. A window begins with its first event. A delete is
 * an event like any other: a key that was put and deleted within one window is told as
 * deleted. What waits is told when the source ends, before its error too.
 *
 * @throws InvalidWatchError for a window that is no time
 */
export function coalesce<E extends { readonly key: string }>(
  windowMs: number,
  scheduler: SchedulerLike = asyncScheduler,
): MonoTypeOperatorFunction<E> {
  if (!(windowMs >= 0)) {
    throw new InvalidWatchError(
      `coalesce() was given ${inspect(windowMs)}; give its window in milliseconds, from 0 on.`,
    );
  }
  return operate<E, E>((source, subscriber) => {
    let waiting = new Map<string, E>();
    let window: Subscription | undefined;
    const flush = () => {
      window?.unsubscribe();
      window = undefined;
      const newest = waiting;
      waiting = new Map();
      for (const event of newest.values()) subscriber.next(event);
    };
    subscriber.add(() => window?.unsubscribe());
    return source.subscribe({
      next: (event) => {
        // Taken out first, so that it moves behind all that came before it.
        waiting.delete(event.key);
        waiting.set(event.key, event);
        window ??= scheduler.schedule(flush, windowMs);
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
