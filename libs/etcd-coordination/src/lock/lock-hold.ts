import { AsyncLocalStorage } from 'node:async_hooks';
import type { MonotonicClock } from '../client/clock.js';
import { runOwning } from '../context/ownership-context.js';
import type { LockHandle } from './lock-handle.js';
import { LockLostError } from './lock.errors.js';
import { LockReleasedError } from './lock-released.error.js';
import { MultiLockHandle } from './multi-handle.js';

/** How something ended that ran under a lock, if not well. */
export interface Failure {
  readonly error: unknown;
}

/**
 * One grant for as long as something runs under it: the call that took it, and the streams that
 * the call returned. It is released once, when the last of them is over.
 */
export class LockHold {
  /** The context of the call, for what ends after it; to find it costs more than a free lock. */
  private outside: (<T>(run: () => T) => T) | undefined;
  private tellOver: (() => void) | undefined;
  /** The call that took the lock is the first. */
  private uses = 1;
  private releasing: Promise<void> | undefined;
  private cancelUnused: (() => void) | undefined;
  private wasUsed = false;

  constructor(
    private readonly handle: LockHandle,
    /** Milliseconds for which what was returned may lie about. */
    readonly unusedMs: number,
    readonly clock: MonotonicClock,
  ) {}

  get signal(): AbortSignal {
    return this.handle.signal;
  }

  /** Runs `work` so that it, and all it starts, stands in the context of the lock. */
  run<T>(work: () => T): T {
    const { handle } = this;
    const run = () => runOwning('lock', handle, handle.fence, work);
    if (!(handle instanceof MultiLockHandle)) return run();
    // Each of them can be demanded, and is carried to others.
    return handle.locks.reduceRight(
      (inner, lock) => () => runOwning('lock', lock, lock.fence, inner),
      run,
    )();
  }

  /**
   * The end of the call, which returned what goes on. Lets the lock go if nobody uses that for too
   * long. Resolves when it is released.
   */
  handOn(): Promise<void> {
    this.outside = AsyncLocalStorage.snapshot();
    const over = new Promise<void>((resolve) => (this.tellOver = resolve));
    if (--this.uses === 0) {
      const release = () => void this.release();
      this.cancelUnused = this.clock.setTimer(release, this.unusedMs, { unref: true });
    }
    return over;
  }

  /** The beginning of another use; null if it may begin, otherwise what it fails with. */
  enter(): Failure | null {
    const lost = this.lost();
    if (lost) return { error: lost };
    if (this.releasing) return { error: this.released(this.wasUsed ? null : this.unusedMs) };
    this.cancelUnused?.();
    this.wasUsed = true;
    this.uses++;
    return null;
  }

  /** The end of a use, and of the hold if it was the last. Says how the use ended, all in all. */
  async leave(failure: Failure | null = null): Promise<Failure | null> {
    // Asked before the release, after which the grant stands no more in any case.
    const verdict = this.verdict(failure);
    if (--this.uses === 0) await this.release();
    return verdict;
  }

  /** What to fail with if the lock has been lost. One that was released early has not been. */
  lost(): LockLostError | null {
    const { handle } = this;
    return !handle.isValid() && handle.signal.aborted
      ? (handle.signal.reason as LockLostError)
      : null;
  }

  /** What fails that is used too late: after nobody did for so long, or a second time. */
  released(unusedMs: number | null): LockReleasedError {
    return new LockReleasedError(this.handle.key, this.handle.token, unusedMs);
  }

  private verdict(failure: Failure | null): Failure | null {
    const lost = this.lost();
    if (!lost) return failure;
    if (!failure || isOf(failure.error, lost)) return { error: lost };
    const { key, token } = this.handle;
    return { error: new LockLostError(key, token, lost.reason, { cause: failure.error }) };
  }

  private release(): Promise<void> {
    this.cancelUnused?.();
    return (this.releasing ??= this.giveBack());
  }

  private async giveBack(): Promise<void> {
    const release = () => this.handle.release();
    try {
      // Outside of the lock's context: what goes on afterwards does not stand in it.
      await (this.outside ? this.outside(release) : release());
    } catch {
      // It does not reject, and must not replace what the work has come to if it did.
    } finally {
      this.tellOver?.();
    }
  }
}

/** Whether an error only says that the signal aborted, as Node's own AbortError does by its cause. */
function isOf(error: unknown, reason: unknown): boolean {
  return error === reason || (error instanceof Error && error.cause === reason);
}
