import { machineNow } from '../../../e2e/election/machine-clock.js';

const BEAT_MS = 100;

/** Measures for how long this process has not run: frozen, blocked, or without a turn on the machine. */
export class Pulse {
  private beatAt = machineNow();
  private longest = 0;
  private readonly timer = setInterval(() => this.beat(), BEAT_MS).unref();

  /** The longest that it was held up, in milliseconds, since this was asked last. */
  take(): number {
    this.beat();
    const { longest } = this;
    this.longest = 0;
    return longest;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private beat(): void {
    const now = machineNow();
    this.longest = Math.max(this.longest, now - this.beatAt - BEAT_MS);
    this.beatAt = now;
  }
}
