import type { MonotonicClock } from '../client/clock.js';

/**
 * How old is what a watch shows: when it was last known to be what etcd held.
 *
 * What comes in is not always news. After an interruption, or a freeze of the process, the watch is told
 * first what happened meanwhile, however late it comes; only what is newer than where its member stood says
 * that the watch has caught up.
 */
export class Currency {
  private at = -Infinity;
  /** Up to here what is told is old, whenever it comes; null if it is not known yet up to where. */
  private oldUpTo: bigint | null = 0n;
  /** When the watch stood again after its last interruption; Infinity while it is interrupted. */
  private restoredAt = -Infinity;

  constructor(private readonly clock: MonotonicClock) {}

  /** When that was, on the monotonic clock; -Infinity before the first list. */
  get moment(): number {
    return this.at;
  }

  /** Milliseconds since then. */
  ageMs(): number {
    return this.clock.now() - this.at;
  }

  /** Milliseconds since the watch stands again after an interruption: 0 until it does, Infinity if there was none. */
  get restoredMs(): number {
    return Math.max(0, this.clock.now() - this.restoredAt);
  }

  interrupted(): void {
    this.restoredAt = Infinity;
  }

  /** The watch stands at a member that is at this revision: until it was told that, what it is told is old. */
  stands(revision: bigint): void {
    if (this.restoredAt === Infinity) this.restoredAt = this.clock.now();
    this.behind(revision);
  }

  /** A list was asked for at a moment, and is here. */
  listed(askedAt: number): void {
    this.at = askedAt;
  }

  /** What is told next is old up to there; null while that is being asked for. */
  behind(upTo: bigint | null): void {
    this.oldUpTo = upTo;
  }

  /** An event of that revision was told. */
  told(revision: bigint): void {
    if (this.oldUpTo !== null && revision > this.oldUpTo) this.caughtUp();
  }

  /** The member says that up to that revision there is nothing that was not told. */
  toldAll(revision: bigint): void {
    if (this.oldUpTo !== null && revision >= this.oldUpTo) this.caughtUp();
  }

  private caughtUp(): void {
    this.oldUpTo = 0n;
    this.at = this.clock.now();
  }
}
