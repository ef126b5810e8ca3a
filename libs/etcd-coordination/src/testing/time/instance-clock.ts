import type { MonotonicClock, TimerOptions } from '../../client/clock.js';
import { runAll } from '../run-all.js';

/** The clock of one instance. While the instance is frozen it goes on, and no timer of it fires. */
export class InstanceClock implements MonotonicClock {
  /** What was due meanwhile, in order. */
  private overdue: (() => void)[] | null = null;

  constructor(private readonly time: MonotonicClock) {}

  get isFrozen(): boolean {
    return this.overdue !== null;
  }

  now(): number {
    return this.time.now();
  }

  setTimer(callback: () => void, delayMs: number, options?: TimerOptions): () => void {
    let isOff = false;
    const fire = () => {
      if (isOff) return;
      if (this.overdue) this.overdue.push(fire);
      else callback();
    };
    const cancel = this.time.setTimer(fire, delayMs, options);
    return () => {
      isOff = true;
      cancel();
    };
  }

  freeze(): void {
    this.overdue ??= [];
  }

  /**
   * All that is overdue fires now, as in a process that wakes up.
   *
   * @throws what one of them has thrown, after all have fired
   */
  thaw(): void {
    const overdue = this.overdue ?? [];
    this.overdue = null;
    runAll(overdue, `timers that were overdue have thrown`);
  }
}
