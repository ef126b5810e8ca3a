import type { MonotonicClock } from '../client/clock.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import type { OwnLock } from './own-lock.js';
import { LockBusyError, LockShutdownError, LockWaitAbortedError } from './lock.errors.js';
import type { LockOptions } from './lock-options.js';
import { settledWithin } from '../client/settled-within.js';

/** How long one who gives up waits for its key to be deleted, in milliseconds. */
const LEAVING_MS = 250;

/** One who waits for a lock: until it is granted, its time is over, or its signal aborts. */
export class LockWait {
  readonly granted: Promise<OwnLock>;
  private settle!: { resolve: (lock: OwnLock) => void; reject: (error: unknown) => void };
  private over = false;
  private cancelTimer: (() => void) | undefined;
  private readonly abort = () =>
    this.giveUp(new LockWaitAbortedError(this.name, this.options.signal?.reason));

  constructor(
    private readonly clock: MonotonicClock,
    private readonly name: string,
    readonly options: LockOptions,
    /** Who has it, for the one whose time is over. */
    private readonly holder: () => string | null,
    /** What etcd fails with when it is asked for the lock, for the one whose time is over. */
    private readonly trouble: () => unknown,
    /** It waits no more. Resolves when nothing of it is left in etcd. */
    private readonly left: () => Promise<unknown>,
  ) {
    this.granted = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    // It may be over before anybody has come to ask.
    this.granted.catch(() => undefined);
    const { waitMs, signal } = options;
    if (waitMs !== undefined && waitMs !== Infinity) {
      this.cancelTimer = clock.setTimer(() => {
        this.giveUp(this.trouble() ?? new LockBusyError(name, this.holder(), waitMs));
      }, waitMs);
    }
    signal?.addEventListener('abort', this.abort, { once: true });
  }

  /** Whether it waits no more. */
  get isOver(): boolean {
    return this.over;
  }

  grant(lock: OwnLock): void {
    this.end();
    this.settle.resolve(lock);
  }

  fail(error: unknown): void {
    if (this.over) return;
    this.end();
    const isClosed = error instanceof ClientClosedError;
    this.settle.reject(isClosed ? new LockShutdownError(this.name) : error);
  }

  /** Ends it without a word: its owner has another answer for whoever waits. */
  cancel(): void {
    this.end();
  }

  /** Ends it from here: it leaves the queue, and then fails. */
  giveUp(error: unknown): void {
    if (this.over) return;
    this.end();
    void settledWithin(this.clock, this.left(), LEAVING_MS).then(() => this.settle.reject(error));
  }

  private end(): void {
    this.over = true;
    this.cancelTimer?.();
    this.options.signal?.removeEventListener('abort', this.abort);
  }
}
