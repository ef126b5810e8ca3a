import type { MonotonicClock } from '../../client/clock.js';

/** The others have so long to hear of a newcomer; they hear of it within milliseconds. */
export const GRACE_MS = 500;
/** A newcomer waits so long for etcd. */
const PATIENCE_MS = 5000;
/** A process that did not run for so long may be taken for dead by others. */
const HELD_UP_MS = 800;
/** So long it waits to be heard of again; without etcd, it goes on as it was. */
const WAKING_MS = 1000;

/**
 * Whether a process may use its share: whether the others know of it.
 *
 * A newcomer to the limit may once it has seen its own record and the grace is over, or when its patience is: that is what
 * a start without etcd comes to. One that was held up, by the machine, a frozen virtual machine or its
 * own work, may again when it has seen a beat that it sent since.
 */
export class Presence {
  private joining = new Joining();
  private hasJoined = false;
  private isRefused = false;
  private closed = false;
  private admitsFrom: number;
  private isKnown = false;
  private turnedAt: number;
  private wakesAt = -Infinity;
  private wokeAt: number | null = null;
  /** When that was sent which was seen last. */
  private seenSentAt = -Infinity;
  /** When each beat was sent that was not seen yet. */
  private readonly sent = new Map<number, number>();
  private cancelTimer: () => void;

  constructor(
    private readonly clock: MonotonicClock,
    isWithoutEtcd: boolean,
    /** It goes on with what it has while it joins: before, it had a limit of its own. */
    private readonly goesOn: boolean,
    private readonly told: {
      /** It was held up, and has nothing now. */
      readonly heldUp: () => void;
      /** Whether there may be somebody who takes it for dead after that. */
      readonly isWatched: () => boolean;
      /** It may use its share from now on. */
      readonly joined: () => void;
    },
  ) {
    const now = clock.now();
    this.turnedAt = now;
    const patience = isWithoutEtcd ? 0 : PATIENCE_MS;
    this.admitsFrom = now + patience;
    this.cancelTimer = clock.setTimer(() => this.joins(), patience, { unref: true });
  }

  /** Resolves when it may for the first time. Rejects while etcd refuses. */
  joined(): Promise<void> {
    return this.joining.promise;
  }

  admits(now: number): boolean {
    return (this.goesOn || now >= this.admitsFrom) && !this.isHeldUp(now);
  }

  /** Whether it was held up, and was not heard of again. */
  isHeldUp(now: number): boolean {
    return this.wokeAt !== null && now < this.wakesAt;
  }

  /** Whether it has seen a word of its own that it sent no longer ago than that. */
  isConfirmed(now: number, withinMs: number): boolean {
    return now - this.seenSentAt < withinMs;
  }

  /** The process runs. To be called often: a gap says that it did not. */
  turn(now: number): void {
    const gap = now - this.turnedAt;
    this.turnedAt = now;
    if (gap < HELD_UP_MS || !this.told.isWatched()) return;
    this.wokeAt = now;
    this.wakesAt = now + WAKING_MS;
    this.told.heldUp();
  }

  /** A beat is about to be sent. */
  beats(beat: number, now: number): void {
    this.sent.set(beat, now);
  }

  /** The watch shows a beat of its own. Gives whether it is a new one. */
  heard(beat: number, now: number): boolean {
    const sentAt = this.sent.get(beat);
    if (this.closed || sentAt === undefined) return false;
    this.seenSentAt = sentAt;
    for (const earlier of this.sent.keys()) if (earlier <= beat) this.sent.delete(earlier);
    if (this.wokeAt !== null && sentAt >= this.wokeAt) this.wokeAt = null;
    if (this.isRefused) this.letIn();
    if (!this.isKnown) this.joinsAt(now + GRACE_MS);
    this.isKnown = true;
    return true;
  }

  /** Etcd does not let it take part. */
  refused(error: Error): void {
    this.isRefused = true;
    this.joining.reject(error);
  }

  close(): void {
    this.closed = true;
    this.cancelTimer();
    this.joining.resolve();
  }

  /** The refusal is over: whoever asks from now on waits for what comes of it. */
  private letIn(): void {
    this.isRefused = false;
    this.joining = new Joining();
    if (this.hasJoined) this.joining.resolve();
  }

  private joinsAt(at: number): void {
    if (this.admitsFrom <= at) return;
    this.admitsFrom = at;
    this.cancelTimer();
    this.cancelTimer = this.clock.setTimer(() => this.joins(), at - this.clock.now());
  }

  private joins(): void {
    // A timer may be early by a fraction.
    this.admitsFrom = Math.min(this.admitsFrom, this.clock.now());
    this.hasJoined = true;
    this.told.joined();
    this.joining.resolve();
  }
}

/** Whether it has joined, for those who wait. */
class Joining {
  readonly promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: Error) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Not everybody asks.
    this.promise.catch(() => undefined);
  }
}
