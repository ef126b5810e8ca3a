/** A window is dropped in so many parts. */
const PARTS = 10;

/** What has come of the calls of a window. */
export interface CallTally {
  /** Those that have come to an end, and those that should have by now. */
  readonly calls: number;
  readonly failed: number;
  /** Those that took, or have been taking, longer than they may. */
  readonly slow: number;
  /** How often the event loop was held up for longer than it may be. */
  readonly heldUp: number;
}

/** A part of the window, and what each call that is under way keeps of the time when it began. */
export class WindowPart {
  /** When the next part began; null while it is the present one. */
  endedAt: number | null = null;
  calls = 0;
  failed = 0;
  slow = 0;
  heldUp = 0;
  /** Calls that began in it and are still under way. */
  open = 0;

  constructor(
    readonly beganAt: number,
    /** Tells calls from before the window was cleared. */
    readonly era: number,
  ) {}
}

/**
 * Counts the calls of the last so many milliseconds, in memory that does not grow with them.
 *
 * Whether more than one of a hundred is slow says whether the 99th percentile is, exactly: so nothing
 * is kept of how long each took.
 */
export class CallWindow {
  private parts: WindowPart[];
  private present: WindowPart;
  private era = 0;

  constructor(
    now: number,
    private readonly windowMs: number,
    /** More than this is slow, in milliseconds. */
    private readonly slowMs: number,
  ) {
    this.present = new WindowPart(now, this.era);
    this.parts = [this.present];
  }

  /** A call begins; it says later how it {@link ended}. */
  began(): WindowPart {
    const part = this.present;
    part.open += 1;
    return part;
  }

  /** Counts a call now that it has ended, unless the window was cleared since it began. */
  ended(since: WindowPart, tookMs: number, failed: boolean): void {
    since.open -= 1;
    if (since.era !== this.era) return;
    const { present } = this;
    present.calls += 1;
    if (failed) present.failed += 1;
    if (tookMs > this.slowMs) present.slow += 1;
  }

  /** Forgets a call of which nobody knows how it ended. */
  left(since: WindowPart): void {
    since.open -= 1;
  }

  /** The event loop was held up for longer than it may be. */
  heldUp(): void {
    this.present.heldUp += 1;
  }

  /** Lets time pass: what is older than the window is dropped. */
  advance(now: number): void {
    const oldest = now - this.windowMs;
    this.parts = this.parts.filter(({ endedAt }) => endedAt === null || endedAt > oldest);
    if (now - this.present.beganAt < this.windowMs / PARTS) return;
    this.present.endedAt = now;
    this.present = new WindowPart(now, this.era);
    this.parts.push(this.present);
  }

  /** Forgets everything: calls that are under way will not count either. */
  clear(now: number): void {
    this.era += 1;
    this.present = new WindowPart(now, this.era);
    this.parts = [this.present];
  }

  tally(now: number): CallTally {
    let [calls, failed, slow, heldUp] = [0, 0, 0, 0];
    for (const part of this.parts) {
      // What hangs never ends: it is slow as soon as it has taken too long.
      const late = part.endedAt !== null && now - part.endedAt > this.slowMs ? part.open : 0;
      calls += part.calls + late;
      failed += part.failed;
      slow += part.slow + late;
      heldUp += part.heldUp;
    }
    return { calls, failed, slow, heldUp };
  }
}
