import { Observable, type Subscription } from 'rxjs';
import { BoundedQueue, readBounds, type Bounds } from './bounded-queue.js';

/**
 * Events for a `for await` loop, in bounded memory. The watch begins with the loop and ends
 * with it, however the loop is left. What waits is still told before an error of the source,
 * or the SlowConsumerError of too many that wait, is thrown in the loop.
 *
 * @throws InvalidWatchError for bounds that make no sense
 *
 * @example
 * for await (const event of iterate(watch.prefix('orders/'), { overflow: 'coalesce' })) { … }
 */
export function iterate<E extends { readonly key: string }>(
  source: Observable<E>,
  bounds: Bounds,
): AsyncIterable<E> {
  readBounds(bounds);
  return { [Symbol.asyncIterator]: () => new EventIterator(source, bounds) };
}

class EventIterator<E extends { readonly key: string }> implements AsyncIterator<E, undefined> {
  private readonly queue: BoundedQueue<E>;
  private readonly waiting: PromiseWithResolvers[] = [];
  private readonly subscription: Subscription;
  /** How it ends once all that waits is told. */
  private end: { error?: unknown } | null = null;

  constructor(source: Observable<E>, bounds: Bounds) {
    this.queue = new BoundedQueue(bounds);
    this.subscription = source.subscribe({
      next: (event) => this.take(event),
      error: (error: unknown) => this.finish({ error }),
      complete: () => this.finish({}),
    });
    // A source that told too much while it was subscribed to.
    if (this.end) this.subscription.unsubscribe();
  }

  next(): Promise<IteratorResult<E, undefined>> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve: resolve as (result: unknown) => void, reject });
      this.serve();
    });
  }

  return(): Promise<IteratorResult<E, undefined>> {
    this.queue.clear();
    this.finish({});
    return Promise.resolve({ done: true, value: undefined });
  }

  private take(event: E): void {
    if (this.end) return;
    try {
      this.queue.push(event);
    } catch (error) {
      return this.finish({ error });
    }
    this.serve();
  }

  private finish(end: { error?: unknown }): void {
    this.end ??= end;
    // Not there yet if the source ends while it is subscribed to.
    (this.subscription as Subscription | undefined)?.unsubscribe();
    this.serve();
  }

  private serve(): void {
    while (this.waiting.length > 0) {
      const value = this.queue.shift();
      if (value) {
        this.waiting.shift()!.resolve({ done: false, value });
        continue;
      }
      if (!this.end) return;
      const { resolve, reject } = this.waiting.shift()!;
      if ('error' in this.end) {
        const { error } = this.end;
        // Thrown once; after that the loop is over.
        this.end = {};
        reject(error);
      } else {
        resolve({ done: true, value: undefined });
      }
    }
  }
}

interface PromiseWithResolvers {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}
