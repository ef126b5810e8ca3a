import { breachOf, loopBreach } from './breach.js';
import { CallWindow } from './call-window.js';
import type { AutoRule } from './switch-rule.js';

/**
 * What an instance thinks of a switch by what it has measured itself:
 *
 * - `on`: its calls are well
 * - `cut`: the rule was broken; none runs, until it has been quiet for long enough
 * - `trial`: a few run, to see whether they are well again
 *
 *     on ──broken, or the fleet is cut──▶ cut ──quiet──▶ trial ──well to its end──▶ on
 *                                          ▲──────broken──┘
 */
export type AutoState = 'on' | 'cut' | 'trial';

/** A change of {@link AutoState}, and why, as a clause for people. */
export interface AutoStep {
  readonly to: AutoState;
  readonly why: string;
}

/** So few calls are enough to end a trial that goes wrong. */
const TRIAL_LEAST_CALLS = 5;
/** A trial has to come out at half of the error rate that cuts: at a rate between the two, nothing flaps. */
const TRIAL_ERROR_SHARE = 0.5;
/** How often the rest doubles at most. */
const MOST_DOUBLINGS = 4;

/** The automatic rule of one switch in one process, moved by a look at what was measured. */
export class AutoMachine {
  state: AutoState = 'on';
  readonly window: CallWindow;
  /** When the rest, or the trial, is over. */
  private until = 0;
  private doublings = 0;
  private restMs: number;
  private recoveredAt = -Infinity;

  constructor(
    private readonly rule: AutoRule,
    now: number,
    /** What it goes on from, if only the numbers of the rule have changed. */
    before?: AutoMachine,
  ) {
    this.window = new CallWindow(now, rule.windowMs, rule.p99Ms ?? Infinity);
    this.restMs = rule.recoverAfterMs;
    if (!before || before.state === 'on') return;
    // A trial begins anew: what was measured went by other numbers.
    this.state = 'cut';
    this.until = Math.min(before.state === 'trial' ? now : before.until, now + this.restMs);
  }

  /** How long it rests, or rested last, in milliseconds. */
  get rest(): number {
    return this.restMs;
  }

  /** Looks at what was measured; gives the change that follows, if one does. */
  look(now: number): AutoStep | null {
    this.window.advance(now);
    if (this.state === 'on') return this.lookOn(now);
    return this.state === 'cut' ? this.lookCut(now) : this.lookTrial(now);
  }

  /** The fleet is cut, whatever was measured here. */
  cutByFleet(now: number, why: string): AutoStep | null {
    return this.state === 'on' ? this.cut(now, why, this.isRelapse(now)) : null;
  }

  private lookOn(now: number): AutoStep | null {
    const { minCalls } = this.rule;
    const tally = this.window.tally(now);
    const breach = breachOf(tally, this.rule, { leastCalls: minCalls, errorShare: 1 });
    return breach === null ? null : this.cut(now, breach, this.isRelapse(now));
  }

  private lookCut(now: number): AutoStep | null {
    // The event loop is measured without calls: while it is held up, this is no rest.
    if (loopBreach(this.window.tally(now), this.rule) !== null) this.until = now + this.restMs;
    if (now < this.until) return null;
    this.until = now + this.rule.windowMs;
    this.window.clear(now);
    this.state = 'trial';
    return { to: 'trial', why: `nothing was wrong for ${this.restMs} ms` };
  }

  private lookTrial(now: number): AutoStep | null {
    const over = now >= this.until;
    const { minCalls } = this.rule;
    const breach = breachOf(this.window.tally(now), this.rule, {
      // At its end it has to be judged by whatever there is.
      leastCalls: over ? 1 : Math.min(minCalls, TRIAL_LEAST_CALLS),
      errorShare: TRIAL_ERROR_SHARE,
    });
    if (breach !== null) return this.cut(now, `on trial, ${breach}`, true);
    if (!over) return null;
    this.state = 'on';
    this.recoveredAt = now;
    const { calls } = this.window.tally(now);
    this.window.clear(now);
    return { to: 'on', why: calls > 0 ? `${calls} calls on trial went well` : 'nobody called it' };
  }

  private cut(now: number, why: string, again: boolean): AutoStep {
    this.doublings = again ? Math.min(this.doublings + 1, MOST_DOUBLINGS) : 0;
    this.restMs = this.rule.recoverAfterMs * 2 ** this.doublings;
    this.until = now + this.restMs;
    this.window.clear(now);
    this.state = 'cut';
    return { to: 'cut', why };
  }

  /** Whether it was cut until a moment ago: then it rests for longer, so that it does not flap. */
  private isRelapse(now: number): boolean {
    return now - this.recoveredAt < this.restMs;
  }
}
