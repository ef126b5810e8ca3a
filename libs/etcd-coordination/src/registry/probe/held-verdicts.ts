import type { MonotonicClock } from '../../client/clock.js';
import { creditOf, type Sight } from './mass-failure.js';

/** An instance whose probes have failed so often that it is down, if that is to be believed. */
export interface Suspect {
  /** How long the others may decide on it at the most, in milliseconds. */
  readonly windowMs: number;
  /** Tells everybody that it is down. */
  publish(): void;
}

/** What decides on verdicts. */
export interface Judges {
  /** All that this process probes. */
  readonly sights: () => Iterable<Sight>;
  /** Whether a doubt stands already, be it another prober's or its own: then this is the second look. */
  readonly isSecondLook: () => boolean;
  /** Most of what this process sees fails, and it is the first to see that. */
  readonly doubt: () => void;
}

/**
 * Verdicts that have yet to be believed: each is published when most of the other instances are seen
 * to answer, and given up when most of them fail as well, unless that is what another look has found.
 */
export class HeldVerdicts {
  /** In the order in which they went down, with the beginning of the failures, and the window's end. */
  private readonly held = new Map<Suspect, { readonly since: number; readonly due: number }>();
  private cancelTimer: () => void = () => undefined;

  constructor(
    private readonly clock: MonotonicClock,
    private readonly judges: Judges,
  ) {}

  /** One went down whose failures began at `since`. It may be published before this returns. */
  hold(suspect: Suspect, since: number): void {
    this.held.set(suspect, { since, due: this.clock.now() + suspect.windowMs });
    this.look();
  }

  /** It is up again, or this process's no more. */
  release(suspect: Suspect): void {
    if (this.held.delete(suspect)) this.plan();
  }

  /** Something was learnt of an instance. */
  look(): void {
    for (const [suspect, { since, due }] of this.held) {
      const credit = creditOf(since, this.judges.sights(), this.clock.now() >= due);
      // Of those that went down later the others know even less.
      if (credit === 'open') break;
      if (credit === 'doubtful' && !this.judges.isSecondLook()) {
        this.held.clear();
        this.judges.doubt();
        break;
      }
      this.held.delete(suspect);
      suspect.publish();
    }
    this.plan();
  }

  private plan(): void {
    this.cancelTimer();
    let next = Infinity;
    for (const { due } of this.held.values()) next = Math.min(next, due);
    if (next === Infinity) return;
    const delay = Math.max(0, next - this.clock.now());
    this.cancelTimer = this.clock.setTimer(() => this.look(), delay, { unref: true });
  }
}
