import type { MonotonicClock } from '../../client/clock.js';
import { shorten } from '../health/check-answer.js';
import { nextGate, type Gate } from '../health/health-gate.js';
import { describeAim, type Probe, type ProbeAim } from './probe.js';

/** A tenth, either way: many targets that began together do not stay together. */
const JITTER = 0.1;
/**
 * Whatever a record asks for: no instance is to keep its prober busy. Less than what can be registered,
 * for the record may be of another version, with another limit.
 */
const LEAST_INTERVAL_MS = 100;
/** A timer that is so much too late says that this process was held up, not the target. */
const HELD_UP_MS = 200;

/** What a target is probed with. */
export interface ProbeTools {
  readonly clock: MonotonicClock;
  readonly probe: Probe;
  /** From 0 up to, and without, 1. */
  readonly random: () => number;
  /** Runs the work when it is its turn: so many probes run at once. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** What a probe came to; null where nothing was learnt. */
type Outcome = { readonly fault: string | null } | null;

/**
 * One instance under probing: asked every `intervalMs`, or 100 ms if that is less, never twice at a time, and judged by its gate.
 */
export class ProbeTarget {
  /** Why the last probe that failed did. */
  private fault = '';
  private failing: number | null = null;
  private passed = -Infinity;
  private cancelTimer: () => void = () => undefined;
  private readonly stopping = new AbortController();

  constructor(
    readonly aim: ProbeAim,
    /** Where it stands: its share of probers has changed, or its prober has died, and it goes on from there. */
    private current: Gate,
    private readonly tools: ProbeTools,
    /** Told of each result, and whether it has moved the gate to another state. */
    private readonly judged: (moved: boolean) => void,
  ) {}

  get gate(): Gate {
    return this.current;
  }

  /** When the row of failures began that the last result belongs to; null if that was none. */
  get failingSince(): number | null {
    return this.failing;
  }

  /** When it passed last; -Infinity if never. */
  get passedAt(): number {
    return this.passed;
  }

  /** Why it is down, for people. */
  get reason(): string {
    const { kind, failures } = this.aim.spec;
    const times = failures === 1 ? '' : ` ${failures} times in a row`;
    return shorten(`The ${kind} probe of ${describeAim(this.aim)} failed${times}: ${this.fault}`);
  }

  /** Begins somewhere within the first interval: the load is spread out. */
  start(): void {
    this.plan(this.intervalMs * this.tools.random());
  }

  /** Ends what is under way. Nothing is told from here on. */
  stop(): void {
    this.cancelTimer();
    this.stopping.abort(new Error('The probing was stopped.'));
  }

  private get intervalMs(): number {
    return Math.max(this.aim.spec.intervalMs, LEAST_INTERVAL_MS);
  }

  private plan(delayMs: number): void {
    if (this.stopping.signal.aborted) return;
    this.cancelTimer = this.tools.clock.setTimer(() => void this.turn(), delayMs, { unref: true });
  }

  private async turn(): Promise<void> {
    const begun = this.tools.clock.now();
    const outcome = await this.tools.inTurn(() => this.ask());
    if (this.stopping.signal.aborted) return;
    const spread = 1 + JITTER * (2 * this.tools.random() - 1);
    const passed = this.tools.clock.now() - begun;
    this.plan(Math.max(0, this.intervalMs * spread - passed));
    if (outcome) this.judge(outcome.fault);
  }

  private judge(fault: string | null): void {
    const now = this.tools.clock.now();
    if (fault === null) [this.failing, this.passed] = [null, now];
    else [this.failing, this.fault] = [this.failing ?? now, fault];
    const before = this.current.state;
    this.current = nextGate(this.current, fault === null, this.aim.spec);
    this.judged(this.current.state !== before);
  }

  /** Asks once. Resolves in time, whatever the probe does. Never rejects. */
  private async ask(): Promise<Outcome> {
    const { clock, probe } = this.tools;
    const { timeoutMs } = this.aim.spec;
    // It may have waited for its turn.
    if (this.stopping.signal.aborted) return null;
    const due = clock.now() + timeoutMs;
    const ending = new AbortController();
    const cancelled = new Promise<Outcome>((resolve) => {
      ending.signal.addEventListener('abort', () => {
        const heldUp = clock.now() - due > HELD_UP_MS || this.stopping.signal.aborted;
        resolve(heldUp ? null : { fault: (ending.signal.reason as Error).message });
      });
    });
    const late = () => ending.abort(new Error(`no answer within ${timeoutMs} ms`));
    const cancelTimer = clock.setTimer(late, timeoutMs, { unref: true });
    const stop = () => ending.abort(this.stopping.signal.reason);
    this.stopping.signal.addEventListener('abort', stop, { once: true });
    try {
      const asked = safely(probe, this.aim, ending.signal);
      return await Promise.race([cancelled, asked]);
    } finally {
      cancelTimer();
      this.stopping.signal.removeEventListener('abort', stop);
    }
  }
}

async function safely(probe: Probe, aim: ProbeAim, signal: AbortSignal): Promise<Outcome> {
  try {
    return { fault: await probe(aim, signal) };
  } catch (error) {
    return { fault: String(error) };
  }
}
