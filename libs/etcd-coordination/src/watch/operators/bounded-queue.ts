import { inspect } from 'node:util';
import { InvalidWatchError, SlowConsumerError } from '../watch.errors.js';

/** What to do with events that come while as many wait as are to be kept. */
export interface Bounds {
  /** How many events wait for their turn, each of them told. Default 1,000. */
  readonly limit?: number;
  /**
   * `error` ends with a SlowConsumerError. `coalesce` goes on with the newest event of each
   * key, in order, until the consumer has caught up; then there are as many as there are keys.
   */
  readonly overflow: 'coalesce' | 'error';
}

/** Events that wait for a slow consumer, in bounded memory. */
export class BoundedQueue<E extends { readonly key: string }> {
  private readonly limit: number;
  private readonly overflow: Bounds['overflow'];
  private events: E[] = [];
  /** In the order of the newest events, while there are too many to keep them all. */
  private newest: Map<string, E> | null = null;
  /** One walk through `newest` for all: each begun anew would pass over what was taken before. */
  private walk: Iterator<E> | null = null;

  /** @throws InvalidWatchError for bounds that make no sense */
  constructor(bounds: Bounds) {
    const { limit = 1000, overflow } = readBounds(bounds);
    this.limit = limit;
    this.overflow = overflow;
  }

  /** @throws SlowConsumerError if it is full and is not to coalesce */
  push(event: E): void {
    if (!this.newest) {
      if (this.events.length < this.limit) {
        this.events.push(event);
        return;
      }
      if (this.overflow === 'error') throw new SlowConsumerError(this.limit);
      const waiting = this.events;
      this.events = [];
      this.newest = new Map();
      for (const earlier of waiting) this.replace(this.newest, earlier);
    }
    this.replace(this.newest, event);
  }

  /** The next event, or undefined if none waits. */
  shift(): E | undefined {
    if (!this.newest) return this.events.shift();
    // What is put while it walks comes at its end.
    this.walk ??= this.newest.values();
    const { value: next } = this.walk.next() as IteratorResult<E, undefined>;
    if (next) this.newest.delete(next.key);
    if (this.newest.size === 0) this.newest = this.walk = null;
    return next;
  }

  clear(): void {
    this.events = [];
    this.newest = this.walk = null;
  }

  private replace(newest: Map<string, E>, event: E): void {
    newest.delete(event.key);
    newest.set(event.key, event);
  }
}

/** @throws InvalidWatchError for bounds that make no sense */
export function readBounds(bounds: Bounds): Bounds {
  const { limit, overflow } = (bounds ?? {}) as { limit?: unknown; overflow?: unknown };
  if (overflow !== 'coalesce' && overflow !== 'error') {
    throw new InvalidWatchError(
      `The option overflow of a bounded consumer is ${inspect(overflow)}; give 'coalesce' to keep the newest event of each key, or 'error' to end.`,
    );
  }
  if (limit !== undefined && !(Number.isInteger(limit) && (limit as number) >= 1)) {
    throw new InvalidWatchError(
      `The option limit of a bounded consumer is ${inspect(limit)}; give how many events may wait, a whole number from 1 on.`,
    );
  }
  return bounds;
}
