import { Logger } from '@nestjs/common';
import type { MonotonicClock } from '../../client/clock.js';
import { AutoMachine, type AutoState, type AutoStep } from './auto-machine.js';
import type { CallWindow } from './call-window.js';
import { newFlip, type FleetWord, type NewFlip } from './fleet-records.js';
import type { FlipLog } from './flip-log.js';
import { SwitchFleet } from './switch-fleet.js';
import type { SwitchGround } from './switch-ground.js';
import type { AutoRule } from './switch-rule.js';
import type { VoteKeeper } from './vote-keeper.js';

/** What this process alone has come to by its own measure. */
export interface OwnWord {
  readonly state: AutoState;
  readonly why: string | null;
  readonly since: Date | null;
}

/**
 * The automatic rule of one switch: cuts it in this process as soon as what is measured here breaks the
 * rule, tells the fleet, and is cut with the fleet when that has come to it.
 *
 * Without etcd it goes on by what this process measures, and by the last word of the fleet.
 */
export class AutoSwitch {
  private readonly logger = new Logger('Switches');
  private readonly clock: MonotonicClock;
  private readonly fleet: SwitchFleet;
  private machine: AutoMachine;
  private reason: Omit<OwnWord, 'state'> = { why: null, since: null };
  /** The last word of the fleet by which this process was cut. */
  private obeyed: string | null = null;
  private voted: 'on' | 'off' | null = null;

  constructor(
    private readonly name: string,
    private readonly ground: SwitchGround,
    private rule: AutoRule,
    flips: FlipLog,
    private readonly keeper: VoteKeeper,
    private readonly changed: () => void,
  ) {
    this.clock = ground.client.clock;
    this.machine = new AutoMachine(rule, this.clock.now());
    this.fleet = new SwitchFleet(ground, name, flips, () => this.heed());
  }

  /** Where calls are counted. */
  get window(): CallWindow {
    return this.machine.window;
  }

  /** The fleet's word, if it is known. */
  get word(): FleetWord | null {
    return this.fleet.word;
  }

  get own(): OwnWord {
    return { state: this.machine.state, ...this.reason };
  }

  /** Goes on by other numbers. */
  adopt(rule: AutoRule): void {
    this.rule = rule;
    this.machine = new AutoMachine(rule, this.clock.now(), this.machine);
  }

  /** Looks at what was measured, and at the fleet's votes. */
  look(loopDelayMs: number): void {
    const now = this.clock.now();
    const { eventLoopDelayMs, quorum } = this.rule;
    if (eventLoopDelayMs !== null && loopDelayMs > eventLoopDelayMs) this.window.heldUp();
    const step = this.machine.look(now);
    if (step) this.take(step);
    const missedAt = this.fleet.lacksOwnVoteAt;
    if (missedAt !== null) this.keeper.missed(missedAt);
    this.fleet.look(now, quorum);
  }

  /** Takes no part in the fleet any more; its vote is its keeper's. */
  close(): void {
    this.fleet.close();
  }

  /** Heeds what the fleet has come to. */
  private heed(): void {
    if (!this.fleet.isKnown) return;
    const { word } = this;
    if (word?.state === 'off' && word.revision !== this.obeyed) {
      this.obeyed = word.revision;
      const why = 'the fleet was cut';
      if (this.machine.cutByFleet(this.clock.now(), why)) this.note(why);
    }
    // The first time not before the fleet's word is known: who comes to one that is cut begins so itself.
    this.vote(null);
    this.changed();
  }

  private take({ to, why }: AutoStep): void {
    if (to === 'trial') {
      // What it was cut for stays the reason: it is still cut.
      this.logger.log(`The switch "${this.name}" is on trial in this process: ${why}.`);
      return;
    }
    this.note(why);
    if (to === 'cut' && this.voted === 'off') {
      this.logger.warn(
        `The switch "${this.name}" stays off in this process for another ${this.machine.rest} ms: ${why}.`,
      );
    }
    const state = to === 'on' ? 'on' : 'off';
    this.vote(this.voted === state || this.word?.state === 'off' ? null : this.flip(state, why));
  }

  private note(why: string): void {
    this.reason = { why, since: this.wallClock() };
  }

  private vote(flip: NewFlip | null): void {
    const state = this.machine.state === 'on' ? 'on' : 'off';
    if (this.voted === state && !flip) return;
    this.voted = state;
    // Who was cut with the fleet has seen nothing itself.
    const isOwn = state === 'off' && this.word?.state !== 'off';
    this.keeper.say({ state, why: isOwn ? this.reason.why : null }, flip);
  }

  private flip(state: 'on' | 'off', why: string): NewFlip {
    const by = this.ground.instanceId;
    return newFlip({ state, scope: 'instance', by, why }, this.wallClock());
  }

  private wallClock(): Date {
    return this.ground.now?.() ?? new Date();
  }
}
