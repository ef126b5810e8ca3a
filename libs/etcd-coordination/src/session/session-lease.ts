import { checkedSignal } from './checked-signal.js';
import type { MonotonicClock } from '../client/clock.js';
import { SessionLostError, type LeaseEndReason } from './session-lost.error.js';

/**
 * How much earlier than the server this process lets go of its lease: room for clocks
 * that run at different rates, and for those who are told to stop.
 */
export function safetyMargin(ttlMs: number): number {
  return Math.min(1000, Math.max(100, ttlMs / 10));
}

/**
 * One lease of this process, from its grant to its loss. It is certain until its
 * deadline: the moment the last answered keepalive was *sent*, plus the TTL, less a
 * margin. The server counts from when it received that keepalive, so it lets go later.
 */
export class SessionLease {
  /** Aborts when the lease ends, with a {@link SessionLostError}. Reading `aborted` asks the clock. */
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private deadline: number;
  private over = false;
  private cancelTimer: () => void = () => undefined;

  constructor(
    /** The lease's id as etcd3 writes it: a decimal. */
    readonly id: string,
    /** What the server granted, which may be more than was asked for. */
    readonly ttlMs: number,
    sentAt: number,
    /** By which it ends, and by which all that stands on it tells the time. */
    readonly clock: MonotonicClock,
    private readonly onEnd: (reason: LeaseEndReason) => void,
  ) {
    this.deadline = this.deadlineFrom(sentAt);
    this.signal = checkedSignal(this.controller, () => this.isValid());
    this.armTimer();
  }

  /** Whether the lease is certain to stand now. Asks the clock, makes no call. */
  isValid(): boolean {
    if (this.over) return false;
    if (this.clock.now() < this.deadline) return true;
    this.end('expired');
    return false;
  }

  /** Milliseconds for which the lease is certain without another answer; 0 when it ended. */
  remainingMs(): number {
    return this.isValid() ? this.deadline - this.clock.now() : 0;
  }

  /** A keepalive that was sent at `sentAt` was answered. An answer never shortens the deadline. */
  renew(sentAt: number): void {
    if (!this.isValid()) return;
    this.deadline = Math.max(this.deadline, this.deadlineFrom(sentAt));
  }

  /** Ends the lease: whoever waits on the signal is told before this returns. */
  end(reason: LeaseEndReason): void {
    if (this.over) return;
    this.over = true;
    this.cancelTimer();
    this.controller.abort(new SessionLostError(this.id, reason));
    this.onEnd(reason);
  }

  private deadlineFrom(sentAt: number): number {
    return sentAt + this.ttlMs - safetyMargin(this.ttlMs);
  }

  /** The timer only tells those who wait; whoever asks is answered by the clock. */
  private armTimer(): void {
    const remaining = Math.max(0, this.deadline - this.clock.now());
    this.cancelTimer = this.clock.setTimer(() => {
      if (this.isValid()) this.armTimer();
    }, remaining);
  }
}
