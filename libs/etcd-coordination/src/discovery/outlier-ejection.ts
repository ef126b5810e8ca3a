import type { EjectionOptions } from './discovery-options.js';
import type { InstanceStats } from './instance-stats.js';

/**
 * Whether an instance is left alone for its failures.
 *
 * - `in`: it takes calls
 * - `ejected`: it takes none until a moment
 * - `trial`: that moment has come; one call is to show how it is
 * - `trying`: that call is on its way; it takes no other
 */
type EjectionState = 'in' | 'ejected' | 'trial' | 'trying';

/** A trial whose end nobody has told in this time is made again, in milliseconds. */
const TRIAL_MS = 60_000;

/** What can be ejected. */
export interface Ejectable {
  readonly stats: InstanceStats;
}

/** Those of whom only a part may be ejected: others are no loss. */
export interface EjectionPopulation<T> {
  /** How many they are, ejected ones among them. */
  size(): number;
  has(instance: T): boolean;
  /** Whether it may well be dead, so that its first failure is enough. */
  isDoubtful(instance: T): boolean;
}

interface Record {
  state: EjectionState;
  /** When it was ejected. */
  at: number;
  /** When its ejection is over, or its trial was lost. */
  until: number;
}

/**
 * Leaves instances alone that fail call after call, each time for longer, and lets a single call
 * through before they take their share again. Never more than a part of them at a time: where most
 * fail, the fault is hardly theirs.
 */
export class OutlierEjection<T extends Ejectable> {
  /** All but those that are `in`. */
  private readonly records = new Map<T, Record>();
  private nextAt = Infinity;

  constructor(
    private readonly options: Required<EjectionOptions> | false,
    private readonly population: EjectionPopulation<T>,
    /** Whether an instance takes calls has changed; `isBack` if it has shown to be well. */
    private readonly changed: (instance: T, isBack: boolean) => void,
  ) {}

  /** Whether it may be called. */
  isIn(instance: T): boolean {
    const state = this.records.get(instance)?.state ?? 'in';
    return state === 'in' || state === 'trial';
  }

  /** How many take no calls now. */
  get ejected(): number {
    let ejected = 0;
    for (const { state } of this.records.values()) if (state !== 'trial') ejected += 1;
    return ejected;
  }

  /** Ends the ejections whose time is over. To be called before each choice: it costs a comparison. */
  advance(now: number): void {
    if (now < this.nextAt) return;
    this.nextAt = Infinity;
    for (const [instance, record] of this.records) {
      if (record.state === 'trial') continue;
      if (now < record.until) {
        this.nextAt = Math.min(this.nextAt, record.until);
        continue;
      }
      record.state = 'trial';
      // What it was when it failed would keep its trial from ever coming.
      instance.stats.forgetLatency();
      this.changed(instance, false);
    }
  }

  /** Whether a call that began then is of the time before its ejection. */
  isOlder(instance: T, since: number): boolean {
    const record = this.records.get(instance);
    return record !== undefined && since < record.at;
  }

  /** A call of it begins. */
  began(instance: T, now: number): void {
    const record = this.records.get(instance);
    if (record?.state !== 'trial') return;
    record.state = 'trying';
    record.until = now + TRIAL_MS;
    this.nextAt = Math.min(this.nextAt, record.until);
    this.changed(instance, false);
  }

  /** A call of it ended well, as the stats know already. */
  succeeded(instance: T): void {
    if (this.records.delete(instance)) this.changed(instance, true);
  }

  /** A call of it failed, as the stats know already. */
  failed(instance: T, now: number): void {
    if (!this.options) return;
    const record = this.records.get(instance);
    if (record?.state === 'ejected') return;
    if (!record && !this.isDue(instance, this.options)) return;
    const { baseMs, maxMs } = this.options;
    instance.stats.ejections += 1;
    const until = now + Math.min(maxMs, baseMs * instance.stats.ejections);
    this.records.set(instance, { state: 'ejected', at: now, until });
    this.nextAt = Math.min(this.nextAt, until);
    this.changed(instance, false);
  }

  /** Its caller gave up: a trial is still to be made. */
  abandoned(instance: T): void {
    const record = this.records.get(instance);
    if (record?.state !== 'trying') return;
    record.state = 'trial';
    this.changed(instance, false);
  }

  /** It is no more. */
  forget(instance: T): void {
    this.records.delete(instance);
  }

  private isDue(instance: T, options: Required<EjectionOptions>): boolean {
    const least = this.population.isDoubtful(instance) ? 1 : options.failures;
    if (instance.stats.failuresInRow < least) return false;
    return !this.population.has(instance) || this.mayEject(options);
  }

  private mayEject({ maxShare }: Required<EjectionOptions>): boolean {
    const population = this.population.size();
    // One of two can always be done without.
    const most = Math.max(Math.floor(population * maxShare), population === 2 ? 1 : 0);
    // Those on trial are not back yet: their next failure ejects them anew.
    let ejected = 0;
    for (const one of this.records.keys()) if (this.population.has(one)) ejected += 1;
    return ejected + 1 <= Math.min(most, population - 1);
  }
}
