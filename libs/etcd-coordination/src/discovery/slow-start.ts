/** The share of its traffic that a fresh instance begins with. */
const LEAST_RAMP = 0.1;
/** Into so many steps the way to the whole share is parted. */
const STEPS = 50;

/** What starts slowly. */
export interface Warming {
  /** Its share of what it would get, from 0.1 to 1. */
  ramp: number;
}

/**
 * Leads fresh instances to their share of the traffic: caches are cold then, code is not compiled,
 * and connections are yet to be made.
 */
export class SlowStart<T extends Warming> {
  private readonly since = new Map<T, number>();
  private nextAt = Infinity;

  constructor(
    /** 0 gives everybody the whole share at once. */
    private readonly spanMs: number,
    /** The ramps of some have changed. */
    private readonly stepped: () => void,
  ) {}

  begin(instance: T, now: number): void {
    if (this.spanMs === 0) return;
    this.since.set(instance, now);
    instance.ramp = LEAST_RAMP;
    this.nextAt = Math.min(this.nextAt, now + this.spanMs / STEPS);
    this.stepped();
  }

  /** Takes the steps that are due. To be called before each choice: it costs a comparison. */
  advance(now: number): void {
    if (now < this.nextAt) return;
    for (const [instance, since] of this.since) {
      const passed = (now - since) / this.spanMs;
      instance.ramp = Math.min(1, LEAST_RAMP + (1 - LEAST_RAMP) * passed);
      if (passed >= 1) this.since.delete(instance);
    }
    this.nextAt = this.since.size > 0 ? now + this.spanMs / STEPS : Infinity;
    this.stepped();
  }

  /** It is no more, or takes no calls. */
  forget(instance: T): void {
    if (this.since.delete(instance)) instance.ramp = 1;
  }
}
