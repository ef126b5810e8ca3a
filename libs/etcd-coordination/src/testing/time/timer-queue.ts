import { AsyncResource } from 'node:async_hooks';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Timers in the order in which they are due; those of the same moment in the order in which they were set. */
export class TimerQueue {
  private readonly timers: Timer[] = [];

  /** How many there are. */
  get size(): number {
    return this.timers.length;
  }

  /** When the first of them is due; Infinity if there is none. */
  get nextAt(): number {
    return this.timers[0]?.at ?? Infinity;
  }

  /** Returns what takes it away. It runs in the context in which it was set, as Node's own do. */
  add(at: number, callback: () => void): () => void {
    const timer: Timer = { at, run: AsyncResource.bind(callback) };
    const behind = this.timers.findIndex((other) => other.at > at);
    this.timers.splice(behind < 0 ? this.timers.length : behind, 0, timer);
    return () => {
      const index = this.timers.indexOf(timer);
      if (index >= 0) this.timers.splice(index, 1);
    };
  }

  /** Takes the first one away, and runs it. */
  fireNext(): void {
    this.timers.shift()?.run();
  }

  clear(): void {
    this.timers.length = 0;
  }
}
