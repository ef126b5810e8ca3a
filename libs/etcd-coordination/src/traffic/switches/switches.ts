import type { Observable } from 'rxjs';
import { every } from '../../client/clock.js';
import { ClientClosedError } from '../../client/etcd.errors.js';
import { eventLoopMeter, type DelayMeter } from '../../client/event-loop-meter.js';
import { LiveDocuments, type LiveDocument } from '../live-documents.js';
import { DegradableSwitch } from './degradable-switch.js';
import { standInFor } from './stand-in.js';
import type { SwitchGround } from './switch-ground.js';
import { SwitchHistory } from './switch-history.js';
import {
  LOAD_KIND,
  LOAD_NAME,
  SWITCH_KIND,
  type LoadRule,
  type SwitchOptions,
  type SwitchRule,
} from './switch-rule.js';
import type { SwitchFlip, SwitchStatus } from './switch-status.js';
import { InvalidSwitchChangeError } from './switch.errors.js';
import { SwitchWriter, type SwitchChange, type TimedSwitchChange } from './switch-writer.js';

/** Between two looks at what was measured, in milliseconds. */
const LOOK_MS = 200;
/** How many flips are told unless something else is asked for. */
const DEFAULT_LIMIT = 50;

/**
 * Switches by which calls that are not essential are cut, all over the fleet: by an operator, for all of
 * a priority at once, or by a rule of their own.
 *
 * An operator's word on one switch beats all others, `on` as well as `off`; the cut of its class comes
 * next, and its rule last. What is decided about a call is read from memory. While etcd is away the last
 * state stands, and what an instance measures itself still cuts it there.
 *
 * Each instance measures its own calls of a switch that has a rule, and cuts itself as soon as they break
 * it. The whole fleet is cut once more than half of its instances have (`quorum`). After `recoverAfterMs`
 * every tenth call is tried for the length of a window: if these are well, the instance goes on; if not,
 * it rests for twice as long. The fleet goes on when three in four of its instances are well again.
 */
export class Switches {
  private readonly documents: LiveDocuments<SwitchRule>;
  private readonly loads: LiveDocuments<LoadRule>;
  private readonly switches = new Map<string, DegradableSwitch>();
  private readonly writer: SwitchWriter;
  private readonly past: SwitchHistory;
  private meter: DelayMeter | null = null;
  private endLooks: (() => void) | null = null;
  private closing: Promise<void> | null = null;

  /**
   * Follows nothing yet, and decides by what is declared until etcd is heard of.
   *
   * @param declared the option `traffic.switches`
   * @throws {InvalidTrafficRuleError} for a switch that cannot be
   */
  constructor(
    private readonly ground: SwitchGround,
    declared: Readonly<Record<string, SwitchOptions>>,
  ) {
    this.documents = new LiveDocuments(ground.store, SWITCH_KIND, declared);
    this.loads = new LiveDocuments(ground.store, LOAD_KIND, { [LOAD_NAME]: {} });
    this.writer = new SwitchWriter(ground, declared);
    this.past = new SwitchHistory(ground.store);
  }

  /** The switches that are declared. */
  get names(): readonly string[] {
    return this.documents.names;
  }

  /** Follows every switch. Resolves once it is known what etcd's documents say of them, or what stands in. */
  async ready(): Promise<void> {
    await Promise.all(this.names.map((name) => this.of(name).ready()));
  }

  /**
   * A switch, for what asks it often; followed from the first time that it is asked for.
   *
   * @param by who asks, for the error
   * @throws {UnknownTrafficNameError} if it is not declared; lists those that are
   * @throws {ClientClosedError} if it was never asked for before {@link close}
   */
  of(name: string, by?: string): DegradableSwitch {
    return this.switches.get(name) ?? this.follow(name, by);
  }

  /**
   * Whether a switch is on. One on trial is not: its calls are tried by {@link call} and `@Degradable`.
   *
   * @throws {UnknownTrafficNameError}
   */
  isOn(name: string): boolean {
    return this.state(name).state === 'on';
  }

  /** How a switch stands in this process: who says so, why, and since when. Makes no call. Throws as {@link isOn}. */
  state(name: string): SwitchStatus {
    return this.of(name).status;
  }

  /** As {@link state}, and each change. Completes with the connection. */
  state$(name: string): Observable<SwitchStatus> {
    return this.of(name).status$;
  }

  /**
   * Runs `work`, measured by the switch's rule; or if the switch is off, what stands in for it.
   *
   * @throws {UnknownTrafficNameError} if the switch is not declared
   * @throws {DegradedError} if it is off, and there is no fallback
   * @throws {DegradedFallbackError} if the fallback fails; so does the promise, or the Observable, that it returns
   */
  call<T>(name: string, work: () => T, fallback?: () => T): T {
    const found = this.of(name);
    if (found.admits()) return found.run(work);
    const standIn = fallback ? { name: fallback.name || 'the fallback', run: fallback } : null;
    return standInFor(found.status, standIn);
  }

  /**
   * Sets a switch by hand for the whole fleet: `on` or `off`, whatever else there is to be said of it,
   * until that is taken back by `auto`, or `forMs` are over. It is the document `traffic/switches/<name>`
   * of the ConfigStore, whose history keeps who, why and when.
   *
   * @throws {UnknownTrafficNameError}
   * @throws {InvalidSwitchChangeError} if author or reason is missing, or forMs is none
   * @throws {ConfigConflictError} if others change the document again and again, and what else `ConfigStore.set` does
   */
  async set(name: string, state: 'on' | 'off' | 'auto', change: TimedSwitchChange): Promise<void> {
    this.of(name);
    await this.writer.set(name, state, change);
  }

  /**
   * Cuts all switches of this priority and of greater numbers, in the whole fleet; null lets go of them.
   * It is the document `traffic/load`.
   *
   * @throws {InvalidSwitchChangeError} if author or reason is missing, or the priority is none
   * @throws {ConfigConflictError} if others change the document again and again, and what else `ConfigStore.set` does
   */
  async cutFrom(priority: number | null, change: SwitchChange): Promise<void> {
    await this.writer.cutFrom(priority, change);
  }

  /**
   * The flips of a switch, newest first: by hand, by the cut of a class, and by its rule, in the fleet
   * and in single instances. Those by hand and of classes are kept as long as the ConfigStore keeps a
   * history, and at least the last 100 of the rule.
   *
   * @throws {UnknownTrafficNameError}
   * @throws {InvalidSwitchChangeError} for a limit that is none
   */
  async history(
    name: string,
    { limit = DEFAULT_LIMIT }: { readonly limit?: number } = {},
  ): Promise<readonly SwitchFlip[]> {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      const fault = `has no history of ${String(limit)} flips: give a whole number from 1`;
      throw new InvalidSwitchChangeError(`switch "${name}"`, fault);
    }
    return this.past.of(this.of(name), limit);
  }

  /** Follows nothing any more, and nothing new; every switch stays as it is. Never rejects. */
  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  private get load(): LiveDocument<LoadRule> {
    return this.loads.of(LOAD_NAME);
  }

  private follow(name: string, by?: string): DegradableSwitch {
    this.documents.assertKnown(name, by);
    if (this.closing) throw new ClientClosedError(this.ground.client.options.connection);
    const document = this.documents.of(name, by);
    const load = this.loads.of(LOAD_NAME);
    const added = new DegradableSwitch(name, this.ground, document, load, () => this.arm());
    this.switches.set(name, added);
    this.arm();
    return added;
  }

  /** Looks at the switches as long as there is one that time may change. */
  private arm(): void {
    const all = this.closing ? [] : [...this.switches.values()];
    this.measureLoop(all.some(({ needsLoopDelay }) => needsLoopDelay));
    if (!all.some(({ needsLooks }) => needsLooks)) {
      this.endLooks?.();
      this.endLooks = null;
    } else {
      const { clock } = this.ground.client;
      this.endLooks ??= every(clock, LOOK_MS, () => this.look(), { unref: true });
    }
  }

  private measureLoop(isNeeded: boolean): void {
    if (isNeeded) {
      this.meter ??= (this.ground.makeMeter ?? eventLoopMeter)();
    } else {
      this.meter?.stop();
      this.meter = null;
    }
  }

  private look(): void {
    const loopDelayMs = this.meter?.take() ?? 0;
    for (const each of this.switches.values()) each.look(loopDelayMs);
  }

  private async shutDown(): Promise<void> {
    // The closing is not known to `arm` yet.
    this.endLooks?.();
    this.endLooks = null;
    this.measureLoop(false);
    await Promise.all([...this.switches.values()].map((each) => each.close()));
  }
}
