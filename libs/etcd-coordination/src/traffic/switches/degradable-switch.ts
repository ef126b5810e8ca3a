import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import { BehaviorSubject, type Observable } from 'rxjs';
import type { MonotonicClock } from '../../client/clock.js';
import { WatchStream } from '../../watch/watch-stream.js';
import type { LiveDocument } from '../live-documents.js';
import { AutoSwitch } from './auto-switch.js';
import { FlipLog } from './flip-log.js';
import { measuredCall } from './measured-call.js';
import { decide } from './switch-decision.js';
import type { SwitchGround } from './switch-ground.js';
import type { AutoRule, LoadRule, SwitchRule } from './switch-rule.js';
import { shownCause, type SwitchStatus } from './switch-status.js';
import { VoteKeeper } from './vote-keeper.js';

/**
 * One switch in this process: decides about each of its calls without asking anybody, and keeps up with
 * whoever has the last word on it.
 */
export class DegradableSwitch {
  readonly flips: FlipLog;
  /** How it stands, and each change. Completes with the connection. */
  readonly status$: Observable<SwitchStatus>;
  private readonly logger = new Logger('Switches');
  private readonly clock: MonotonicClock;
  private readonly statuses: BehaviorSubject<SwitchStatus>;
  private readonly unfollow: readonly (() => void)[];
  private auto: AutoSwitch | null = null;
  /** One for all rules that it comes to have: what they say of the same key stays in order. */
  private keeper: VoteKeeper | null = null;
  /** The numbers that it goes by. */
  private autoRule: AutoRule | null = null;
  /** The share of the calls that run. */
  private share: number;
  /** How much of the next call that runs has come together. */
  private credit: number;
  private closed = false;

  constructor(
    readonly name: string,
    private readonly ground: SwitchGround,
    private readonly document: LiveDocument<SwitchRule>,
    private readonly load: LiveDocument<LoadRule>,
    /** Told when other numbers are to be gone by. */
    private readonly ruleChanged: () => void,
  ) {
    this.clock = ground.client.clock;
    this.flips = new FlipLog(ground.client, ground.namespace, name);
    // Before the first decision: the fleet's word counts only for one with a rule.
    this.adoptAuto(document.value.auto);
    const status = this.decide();
    this.share = status.share;
    this.credit = 1 - status.share;
    this.statuses = new BehaviorSubject(status);
    if (status.state === 'off') this.tell(status);
    this.status$ = new WatchStream<SwitchStatus>(
      { label: `the switch ${JSON.stringify(name)}` },
      (subscriber) => this.statuses.subscribe(subscriber),
    );
    this.unfollow = [document.onChange(() => this.adopt()), load.onChange(() => this.settle())];
  }

  get status(): SwitchStatus {
    return this.statuses.value;
  }

  get priority(): number {
    return this.document.value.priority;
  }

  /** Whether time alone may change it. */
  get needsLooks(): boolean {
    return this.auto !== null || (this.document.value.manual?.until ?? null) !== null;
  }

  /** Whether it goes by how long the event loop is held up. */
  get needsLoopDelay(): boolean {
    return (this.autoRule?.eventLoopDelayMs ?? null) !== null;
  }

  /** Resolves once it is known what etcd's documents say, or what stands in. */
  async ready(): Promise<void> {
    await Promise.all([this.document.ready(), this.load.ready()]);
  }

  /** Whether the next call runs. To be asked once for each: of a switch on trial, every tenth does. */
  admits(): boolean {
    const { share } = this;
    if (share === 1) return true;
    if (share === 0) return false;
    this.credit += share;
    // Tenths do not quite add up to one.
    if (this.credit < 1 - 1e-9) return false;
    this.credit = Math.max(0, this.credit - 1);
    return true;
  }

  /** Runs a call that was admitted, and takes note of how it goes if there is a rule to hold it against. */
  run<T>(work: () => T): T {
    const { auto } = this;
    return auto === null ? work() : measuredCall(auto.window, this.clock, work);
  }

  /** Looks at what was measured, and at what time it is. */
  look(loopDelayMs: number): void {
    this.auto?.look(loopDelayMs);
    this.settle();
  }

  /** Goes on deciding as it does now, and changes no more. Never rejects. */
  async close(): Promise<void> {
    this.closed = true;
    for (const end of this.unfollow) end();
    this.statuses.complete();
    this.auto?.close();
    await this.keeper?.stop();
  }

  /** Takes up what its document says now. */
  private adopt(): void {
    const { auto: rule } = this.document.value;
    if (!isDeepStrictEqual(rule, this.autoRule)) this.adoptAuto(rule);
    this.settle();
    this.ruleChanged();
  }

  private adoptAuto(rule: AutoRule | null): void {
    this.autoRule = rule;
    if (rule === null) return this.endAuto();
    if (this.auto) return this.auto.adopt(rule);
    const { name, ground, flips } = this;
    this.keeper ??= new VoteKeeper(ground, name, flips);
    this.auto = new AutoSwitch(name, ground, rule, flips, this.keeper, () => this.settle());
  }

  private endAuto(): void {
    this.auto?.close();
    this.auto = null;
    this.keeper?.withdraw();
  }

  /** Decides anew, and tells who listens if that comes to something else. */
  private settle(): void {
    if (this.closed) return;
    const before = this.status;
    const status = this.decide();
    if (isDeepStrictEqual(before, status)) return;
    if (status.share !== this.share) {
      this.share = status.share;
      // The first call of a trial runs, however rarely anybody calls.
      this.credit = 1 - status.share;
    }
    if (status.state !== before.state) this.tell(status);
    this.statuses.next(status);
  }

  private decide(): SwitchStatus {
    return decide(this.name, {
      rule: this.document.value,
      load: this.load.value,
      word: this.auto?.word ?? null,
      own: this.auto?.own ?? null,
      now: this.ground.now?.() ?? new Date(),
    });
  }

  private tell(status: SwitchStatus): void {
    const { name, priority, state } = status;
    const line = `The switch "${name}" (priority ${priority}) is ${state}: ${shownCause(status)}.`;
    if (state === 'off') this.logger.warn(line);
    else this.logger.log(line);
  }
}
