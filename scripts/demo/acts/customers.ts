import { setTimeout as pause } from 'node:timers/promises';
import type { Actor } from '../stage.js';

/** One visit of a customer. */
export interface Visit<T> {
  readonly door: Actor;
  readonly begunAt: number;
  readonly tookMs: number;
  /** What the customer came away with, or null: the visit has failed. */
  readonly got: T | null;
  readonly error: string;
}

/** Customers who come again and again, until they are sent home. */
export class Customers<T> {
  /** In the order in which they ended. */
  readonly visits: Visit<T>[] = [];
  private readonly stopping = new AbortController();
  private readonly coming: readonly Promise<void>[];

  /**
   * @param each how many come to each of the doors
   * @param betweenMs how long each stays away after a visit
   */
  constructor(
    doors: readonly Actor[],
    each: number,
    private readonly betweenMs: number,
    private readonly visit: (door: Actor) => Promise<T>,
  ) {
    this.coming = doors.flatMap((door) => Array.from({ length: each }, () => this.come(door)));
  }

  /** Ends it: nobody is cut off. */
  async end(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.coming);
  }

  /** The visits that were begun after a moment, and before another one. */
  between(from: number, to = Infinity): Visit<T>[] {
    return this.visits.filter(({ begunAt }) => begunAt >= from && begunAt < to);
  }

  get failed(): readonly string[] {
    return this.visits.filter(({ got }) => got === null).map(({ error }) => error);
  }

  private async come(door: Actor): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const begunAt = performance.now();
      const outcome = await this.visit(door)
        .then((got) => ({ got, error: '' }))
        .catch((error: unknown) => ({ got: null, error: String(error) }));
      this.visits.push({ door, begunAt, tookMs: performance.now() - begunAt, ...outcome });
      await pause(this.betweenMs);
    }
  }
}

/** The longest that any of them took. */
export function slowestMs(visits: readonly Visit<unknown>[]): number {
  return Math.max(0, ...visits.map(({ tookMs }) => tookMs));
}
