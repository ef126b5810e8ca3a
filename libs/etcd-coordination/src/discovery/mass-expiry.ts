import type { ProtectionOptions } from './discovery-options.js';

/** What happened to instances at one moment. Only those count that could take calls, or soon could, by their own word. */
export interface Moves {
  /** Registered, or back to `up` or `starting`. */
  readonly came: readonly string[];
  /** Said farewell, or say of themselves that they are down. */
  readonly left: readonly string[];
  /** Deleted without a farewell: killed, expired, or removed by an operator. */
  readonly lost: readonly string[];
  /** Were in etcd since without counting, such as one that has registered again and is down, or has left at once. */
  readonly back: readonly string[];
}

/** What is to be done, and said, of it. */
export interface Judgement {
  /** Lost now or shortly before, and kept in the list from now on. */
  readonly kept: readonly string[];
  /** Kept for as long as may be, and gone now. */
  readonly released: readonly string[];
  /** Lost so long ago that nothing can bring them back into the list. */
  readonly forgotten: readonly string[];
  /** Protection began: so many were lost of so many. */
  readonly began: { readonly lost: number; readonly of: number } | null;
  /** Protection is over: so many have registered again, so many were given up. */
  readonly ended: { readonly returned: number; readonly givenUp: number } | null;
}

/**
 * Tells a mass expiry from deaths. Leases that expire together say more of the registry, whose
 * leader was slow or cut off, than of the instances: those are kept, and better called in vain than
 * not at all. Deaths one at a time are believed at once.
 *
 * Knows nothing but what it is told, and the time that it is told.
 */
export class MassExpiry {
  /** Instances that are registered and count. */
  private population = 0;
  /** How that changed within the window, oldest first. */
  private readonly flow: { readonly at: number; readonly delta: number }[] = [];
  /** Lost within the window and believed so far, with the moment; oldest first. */
  private readonly lost = new Map<string, number>();
  /** Protected, with the moment of their loss, or the last at which they could not register again. */
  private readonly kept = new Map<string, number>();
  private returned = 0;
  private givenUp = 0;

  constructor(private readonly options: Required<ProtectionOptions> | false) {}

  /** Whether a lost instance is kept in the list. */
  isKept(id: string): boolean {
    return this.kept.has(id);
  }

  /** How many are kept. */
  get size(): number {
    return this.kept.size;
  }

  /** When the next of those that are kept is to be given up; Infinity if none is kept. */
  get nextAt(): number {
    if (!this.options) return Infinity;
    let first = Infinity;
    for (const at of this.kept.values()) first = Math.min(first, at);
    return first + this.options.holdMs;
  }

  /** The first list: so many count. */
  begin(population: number): void {
    this.population = population;
  }

  /** Nobody could have registered again until now: those that are kept have all their time before them. */
  postpone(now: number): void {
    for (const id of this.kept.keys()) this.kept.set(id, now);
  }

  /**
   * @param isAfterOutage whether nobody could keep a lease until shortly before: then no number of losses is
   * too small to be the registry's fault
   */
  take({ came, left, lost, back }: Moves, now: number, isAfterOutage = false): Judgement {
    if (!this.options) return { ...NOTHING, forgotten: lost };
    const { forgotten, released } = this.pass(this.options, now);
    for (const id of [...came, ...back]) {
      this.lost.delete(id);
      if (this.kept.delete(id)) this.returned += 1;
    }
    const delta = came.length - left.length - lost.length;
    this.population += delta;
    if (delta !== 0) this.flow.push({ at: now, delta });
    for (const id of lost) this.lost.set(id, now);
    const { kept, began } = this.judge(
      { ...this.options, ...(isAfterOutage && { atLeast: 1 }) },
      lost.length > 0,
      now,
    );
    return { kept, released, forgotten, began, ended: this.end() };
  }

  private judge(
    { maxLossShare, atLeast, windowMs }: Required<ProtectionOptions>,
    isLosing: boolean,
    now: number,
  ): Pick<Judgement, 'kept' | 'began'> {
    const missing = this.lost.size + this.kept.size;
    if (!isLosing || missing < atLeast) return NOTHING;
    const of = this.thereBefore(now - windowMs);
    if (missing <= maxLossShare * of) return NOTHING;
    const began = this.kept.size === 0 ? { lost: missing, of } : null;
    const kept = [...this.lost.keys()];
    for (const [id, at] of this.lost) this.kept.set(id, at);
    this.lost.clear();
    return { kept, began };
  }

  /** How many there were at the window's beginning, with those that were missing already. */
  private thereBefore(windowStart: number): number {
    let there = this.population;
    for (const { delta } of this.flow) there -= delta;
    for (const at of this.kept.values()) if (at <= windowStart) there += 1;
    return there;
  }

  /** What is over by time alone. */
  private pass(
    { windowMs, holdMs }: Required<ProtectionOptions>,
    now: number,
  ): { forgotten: string[]; released: string[] } {
    const inWindow = this.flow.findIndex(({ at }) => at > now - windowMs);
    this.flow.splice(0, inWindow < 0 ? this.flow.length : inWindow);
    const forgotten = takeOlder(this.lost, now - windowMs);
    const released = takeOlder(this.kept, now - holdMs);
    this.givenUp += released.length;
    return { forgotten, released };
  }

  private end(): Judgement['ended'] {
    if (this.kept.size > 0 || this.returned + this.givenUp === 0) return null;
    const ended = { returned: this.returned, givenUp: this.givenUp };
    this.returned = this.givenUp = 0;
    return ended;
  }
}

const NOTHING: Judgement = { kept: [], released: [], forgotten: [], began: null, ended: null };

/** Takes out what is as old as `limit`, or older. */
function takeOlder(moments: Map<string, number>, limit: number): string[] {
  const older: string[] = [];
  for (const [id, at] of moments) if (at <= limit) older.push(id);
  for (const id of older) moments.delete(id);
  return older;
}
