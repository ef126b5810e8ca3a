import type { Fence } from '../context/fence.js';
import { checkedSignal } from '../session/checked-signal.js';
import type { LockHandle } from './lock-handle.js';

/** Several locks held at once. Its `token` and `fence` are those of the last one; {@link locks} has them all. */
export class MultiLockHandle implements LockHandle {
  private checked: AbortSignal | null = null;
  private released = false;

  constructor(
    /** The locks in the order in which they were taken, which is that of their names. */
    readonly locks: readonly LockHandle[],
  ) {}

  /** All names, with commas between them. */
  get key(): string {
    return this.locks.map(({ key }) => key).join(',');
  }

  get token(): bigint {
    return this.last.token;
  }

  get fence(): Fence {
    return this.last.fence;
  }

  /** The fences of all of them, for a transaction that commits only while all stand. */
  get fences(): readonly Fence[] {
    return this.locks.map(({ fence }) => fence);
  }

  get signal(): AbortSignal {
    if (!this.checked) {
      const signals = this.locks.map(({ signal }) => signal);
      const controller = new AbortController();
      let aborting = false;
      // Reading `aborted` checks in turn.
      const check = () => {
        if (aborting) return;
        const lost = this.released ? undefined : signals.find(({ aborted }) => aborted);
        if (!lost) return;
        aborting = true;
        controller.abort(lost.reason);
      };
      this.checked = checkedSignal(controller, check);
      for (const signal of signals) signal.addEventListener('abort', check, { once: true });
      check();
    }
    return this.checked;
  }

  isValid(): boolean {
    return !this.released && this.locks.every((lock) => lock.isValid());
  }

  remainingMs(): number {
    return this.released ? 0 : Math.min(...this.locks.map((lock) => lock.remainingMs()));
  }

  /** Gives all of them back. */
  async release(): Promise<void> {
    this.released = true;
    await Promise.all(this.locks.map((lock) => lock.release()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  private get last(): LockHandle {
    return this.locks.at(-1)!;
  }
}
