import type { Fence } from '../context/fence.js';
import type { LockHandle } from './lock-handle.js';

/** A lock that its holder got once more, under the grant that it has: it ends with that one, and its own release leaves that one alone. */
export class NestedLock implements LockHandle {
  private released = false;

  constructor(readonly outer: LockHandle) {}

  get key(): string {
    return this.outer.key;
  }

  get token(): bigint {
    return this.outer.token;
  }

  get fence(): Fence {
    return this.outer.fence;
  }

  get signal(): AbortSignal {
    return this.outer.signal;
  }

  isValid(): boolean {
    return !this.released && this.outer.isValid();
  }

  remainingMs(): number {
    return this.released ? 0 : this.outer.remainingMs();
  }

  release(): Promise<void> {
    this.released = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
