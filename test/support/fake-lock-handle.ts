import { vi } from 'vitest';
import type {
  LockHandle,
  LockLossReason,
} from '../../libs/etcd-coordination/src/lock/lock-handle.js';
import { LockLostError } from '../../libs/etcd-coordination/src/lock/lock.errors.js';

/** A grant that is lost and released on command. */
export class FakeLockHandle implements LockHandle {
  readonly key = 'stock';
  readonly token = 7n;
  readonly fence = {
    resource: 'lock/stock',
    key: 'ns/lock/stock/queue/1-0-w',
    revision: 7n,
    token: 7n,
  };
  readonly release = vi.fn<() => Promise<void>>(async () => {
    this.valid = false;
  });
  private readonly controller = new AbortController();
  readonly signal: AbortSignal = this.controller.signal;
  private valid = true;

  isValid(): boolean {
    return this.valid;
  }
  remainingMs(): number {
    return this.valid ? 1000 : 0;
  }
  lose(reason: LockLossReason = 'session-lost'): LockLostError {
    const error = new LockLostError(this.key, this.token, reason);
    this.valid = false;
    this.controller.abort(error);
    return error;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
