import { SlowConsumerError } from '../watch.errors.js';

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
  private events: E[] = [];
  /** In the order of the newest events, while there are too many to keep them all. */
  private newest: Map<string, E> | null = null;

  constructor(private readonly bounds: Bounds) {
    this.limit = bounds.limit ?? 1000;
    if (!(this.limit >= 1)) throw new RangeError('The limit of waiting events is at least 1.');
  }

  /** @throws SlowConsumerError if it is full and is not to coalesce */
  push(event: E): void {
    if (!this.newest) {
      if (this.events.length < this.limit) {
        this.events.push(event);
        return;
      }
      if (this.bounds.overflow === 'error') throw new SlowConsumerError(this.limit);
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
    const [next] = this.newest.values();
    if (next) this.newest.delete(next.key);
    if (this.newest.size === 0) this.newest = null;
    return next;
  }

  clear(): void {
    this.events = [];
    this.newest = null;
  }

  private replace(newest: Map<string, E>, event: E): void {
    newest.delete(event.key);
    newest.set(event.key, event);
  }
}
