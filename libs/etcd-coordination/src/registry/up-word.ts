import type { MonotonicClock } from '../client/clock.js';

/** Keeps until when others may have been told that an instance is up. */
export class UpWord {
  private said = false;
  private unsaidAt = -Infinity;

  constructor(
    private readonly clock: MonotonicClock,
    /** Whether there may be a record that they read it in. */
    private readonly mayStand: () => boolean,
  ) {}

  /** Whether they may read it now. */
  get stands(): boolean {
    return this.said && this.mayStand();
  }

  /** Now, while it stands; -Infinity if it never did. */
  get until(): number {
    return this.stands ? this.clock.now() : this.unsaidAt;
  }

  /** It is about to be said, or said on. */
  say(): void {
    this.said = true;
  }

  /** Something else is said now, or somebody else says it, or the record is gone. */
  unsay(until = this.until): void {
    this.unsaidAt = until;
    this.said = false;
  }
}
