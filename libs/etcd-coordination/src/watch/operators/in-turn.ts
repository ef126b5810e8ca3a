import type { OperatorFunction } from 'rxjs';
import { operate } from './operate.js';
import { BoundedQueue, readBounds, type Bounds } from './bounded-queue.js';

/**
 * Does asynchronous work for each event, one at a time and in order, and tells what it gives.
 * Events that come meanwhile wait, in bounded memory.
 *
 * Errors with what the work rejects with, and with a SlowConsumerError if too many wait and
 * `overflow` is `error`; what waits is then dropped. Completes when all that waited is done.
 *
 * @throws InvalidWatchError for bounds that make no sense
 */
export function inTurn<E extends { readonly key: string }, R>(
  work: (event: E) => Promise<R> | R,
  bounds: Bounds,
): OperatorFunction<E, R> {
  readBounds(bounds);
  return operate<E, R>((source, subscriber) => {
    const queue = new BoundedQueue<E>(bounds);
    let working = false;
    let ended = false;
    const run = async () => {
      working = true;
      try {
        for (let event = queue.shift(); event; event = queue.shift()) {
          // One after the other is what it is for.
          // oxlint-disable-next-line no-await-in-loop
          const result = await work(event);
          if (subscriber.closed) return;
          subscriber.next(result);
        }
      } catch (error) {
        subscriber.error(error);
        return;
      }
      working = false;
      if (ended) subscriber.complete();
    };
    subscriber.add(() => queue.clear());
    subscriber.add(
      source.subscribe({
        next: (event) => {
          try {
            queue.push(event);
          } catch (error) {
            return subscriber.error(error);
          }
          if (!working) void run();
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          ended = true;
          if (!working) subscriber.complete();
        },
      }),
    );
  });
}
