import { setTimeout as pause } from 'node:timers/promises';
import type { SeededRandom } from '../../support/seeded-random.js';

/** Workers that do something over and over, with rests, until they are stopped. */
export class Pace {
  private readonly end = new AbortController();
  private readonly working: Promise<void>[] = [];

  constructor(
    private readonly random: SeededRandom,
    private readonly rate: number,
    private readonly fault: (where: string, error: unknown) => void,
  ) {}

  get isOver(): boolean {
    return this.end.signal.aborted;
  }

  /** Aborts when they are stopped. */
  get signal(): AbortSignal {
    return this.end.signal;
  }

  /** One worker: a step, a rest, a step … An error out of a step is nobody's but the part's own, and a fault. */
  work(what: string, restMs: readonly [least: number, most: number], step: () => unknown): void {
    this.working.push(this.run(what, restMs, step));
  }

  /** Milliseconds at the works' own rate; over at once when they are stopped. */
  async rest(leastMs: number, mostMs: number): Promise<void> {
    await this.wait(this.random.int(leastMs, mostMs) / this.rate);
  }

  /** So many milliseconds whatever the rate; over at once when they are stopped. */
  async wait(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.signal }).catch(() => undefined);
  }

  /** No step begins any more; resolves when those under way have ended. */
  async stop(): Promise<void> {
    this.end.abort();
    await Promise.all(this.working);
  }

  private async run(
    what: string,
    [least, most]: readonly [number, number],
    step: () => unknown,
  ): Promise<void> {
    await this.rest(0, most);
    while (!this.isOver) {
      try {
        await step();
      } catch (error) {
        this.fault(what, error);
      }
      await this.rest(least, most);
    }
  }
}
