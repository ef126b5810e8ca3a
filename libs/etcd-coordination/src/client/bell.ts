import { systemClock, type MonotonicClock } from './clock.js';

/** Wakes whoever waits for something to change. A ring that nobody waits for counts for the next wait. */
export class Bell {
  private rung = false;
  private wake: (() => void) | null = null;

  constructor(private readonly clock: MonotonicClock = systemClock) {}

  /** Bound, so that it can be handed out as a listener. */
  readonly ring = (): void => {
    this.rung = true;
    this.wake?.();
  };

  /** Resolves at the next ring, or at that moment of the clock; at once if it has rung since the last wait. */
  async next(until: number | null = null): Promise<void> {
    if (!this.rung) {
      await new Promise<void>((resolve) => {
        const cancel =
          until === null
            ? () => undefined
            : this.clock.setTimer(resolve, Math.max(0, until - this.clock.now()));
        this.wake = () => {
          cancel();
          resolve();
        };
      });
    }
    this.wake = null;
    this.rung = false;
  }
}
