import { Logger } from '@nestjs/common';
import type { MonotonicClock } from '../../client/clock.js';
import { eventLoopMeter, type DelayMeter } from '../../client/event-loop-meter.js';
import type { ResolvedHealth } from '../registration-options.js';
import type { CheckOutcome } from './check-answer.js';
import { judgeDelay } from './event-loop-delay.js';
import { CheckRunner } from './health-check.js';
import { nextGate, STARTING_GATE, UP_GATE, type Gate, type GateState } from './health-gate.js';

/** What an instance says of its own health. */
export interface SelfWord {
  readonly state: GateState;
  /** Which checks failed and why; null while it is up. */
  readonly reason: string | null;
}

/** What a check has failed by. */
interface Complaint {
  readonly name: string;
  readonly why: string;
}

/** The name under which the event loop fails. */
const EVENT_LOOP = 'event loop';

/** Asks an instance's health checks round after round, and says what that makes of its state. */
export class SelfHealth {
  private readonly logger = new Logger('ServiceRegistry');
  private readonly runners = new Map<string, CheckRunner>();
  private readonly meter: DelayMeter | null;
  private gate: Gate;
  private said: SelfWord;
  /** The checks that the reason is about: their words may differ each time, and nobody needs them all. */
  private blamed = '';
  private cancelTimer: () => void = () => undefined;
  /** How many rounds in a row were bad while it is starting. */
  private badStarts = 0;
  private begun = false;
  private stopped = false;
  private looking = false;
  private again = false;

  constructor(
    /** For the log. */
    private readonly name: string,
    private readonly options: ResolvedHealth,
    private readonly clock: MonotonicClock,
    private readonly changed: () => void,
    runners: Iterable<CheckRunner> = [],
    makeMeter: () => DelayMeter = eventLoopMeter,
  ) {
    for (const [check, run] of Object.entries(options.checks)) {
      this.runners.set(check, new CheckRunner(check, run, clock));
    }
    for (const runner of runners) this.runners.set(runner.name, runner);
    this.meter = options.maxEventLoopDelayMs === null ? null : makeMeter();
    this.gate = this.isWatched ? STARTING_GATE : UP_GATE;
    this.said = { state: this.gate.state, reason: null };
  }

  /** What it says now. */
  get word(): SelfWord {
    return this.said;
  }

  /** Whether it has a check of that name. */
  has(check: string): boolean {
    return this.runners.has(check);
  }

  /** Begins with a round at once. */
  start(): void {
    if (!this.isWatched) return;
    this.begun = true;
    void this.round();
  }

  /** Has the next round at once: something that a check looks at has changed. */
  look(): void {
    if (!this.begun || this.stopped) return;
    this.cancelTimer();
    // One that is under way may have looked before.
    if (this.looking) this.again = true;
    else void this.round();
  }

  /** One more check, from the next round on. What is up stays up until it fails. */
  add(runner: CheckRunner): void {
    this.runners.set(runner.name, runner);
    if (!this.begun) this.start();
  }

  remove(runner: CheckRunner): void {
    if (this.runners.get(runner.name) === runner) this.runners.delete(runner.name);
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer();
    this.meter?.stop();
  }

  private get isWatched(): boolean {
    return this.runners.size > 0 || this.meter !== null;
  }

  private async round(): Promise<void> {
    if (this.stopped) return;
    this.looking = true;
    const { intervalMs, timeoutMs } = this.options;
    const next = this.clock.now() + intervalMs;
    const runs = [...this.runners.values()].map(async (runner) => ({
      name: runner.name,
      outcome: await runner.run(timeoutMs),
    }));
    const results = await Promise.all(runs);
    this.looking = false;
    if (this.stopped) return;
    this.judge([...this.judgeLoop(), ...results]);
    const delay = this.again ? 0 : Math.max(0, next - this.clock.now());
    this.again = false;
    this.cancelTimer = this.clock.setTimer(() => void this.round(), delay, { unref: true });
  }

  private judgeLoop(): { name: string; outcome: CheckOutcome }[] {
    const { maxEventLoopDelayMs: most } = this.options;
    if (!this.meter || most === null) return [];
    return [{ name: EVENT_LOOP, outcome: judgeDelay(this.meter.take(), most) }];
  }

  private judge(results: readonly { name: string; outcome: CheckOutcome }[]): void {
    const bad: Complaint[] = [];
    for (const { name, outcome } of results) {
      if (!outcome.passed) bad.push({ name, why: outcome.why });
    }
    this.gate = nextGate(this.gate, bad.length === 0, this.options);
    const { state } = this.gate;
    if (state === 'starting') this.tellOfStart(reasonOf(bad));
    const blamed = JSON.stringify(bad.map(({ name }) => name));
    if (
      state === this.said.state &&
      (state === 'up' || bad.length === 0 || blamed === this.blamed)
    ) {
      return;
    }
    const reason = state === 'up' ? null : reasonOf(bad);
    this.blamed = blamed;
    if (state !== this.said.state) this.tell(state, reason);
    this.said = { state, reason };
    this.changed();
  }

  /** Nobody would know otherwise why it never gets a call. */
  private tellOfStart(reason: string | null): void {
    this.badStarts += 1;
    if (this.badStarts !== this.options.failures) return;
    this.logger.warn(
      `${this.name} is starting yet and gets no calls until its health checks pass: ${reason ?? 'they failed'}.`,
    );
  }

  private tell(state: GateState, reason: string | null): void {
    if (state === 'down')
      this.logger.warn(`${this.name} is down: ${reason ?? 'its checks failed'}.`);
    else this.logger.log(`${this.name} is ${state}: its health checks passed.`);
  }
}

function reasonOf(bad: readonly Complaint[]): string | null {
  return bad.map(({ name, why }) => `"${name}" ${why}`).join('; ') || null;
}
