import type { LocksToUse } from '../../libs/etcd-coordination/src/lock/lock-gate.js';
import type { LockHandle } from '../../libs/etcd-coordination/src/lock/lock-handle.js';
import type { LockOptions } from '../../libs/etcd-coordination/src/lock/lock-options.js';
import {
  LockBusyError,
  LockLostError,
  LockWaitAbortedError,
} from '../../libs/etcd-coordination/src/lock/lock.errors.js';
import { runWithLock } from '../../libs/etcd-coordination/src/lock/run-with-lock.js';

/** A grant of {@link FakeLocks}, which can be lost on command. */
export class FakeGrant implements LockHandle {
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private stands = true;

  constructor(
    readonly key: string,
    readonly token: bigint,
    private readonly released: () => void,
  ) {
    this.signal = this.controller.signal;
  }

  get fence() {
    const { key, token } = this;
    return { resource: `lock/${key}`, key: `ns/lock/${key}/queue/1-0-w`, revision: token, token };
  }

  isValid(): boolean {
    return this.stands;
  }

  remainingMs(): number {
    return this.stands ? 1000 : 0;
  }

  async release(): Promise<void> {
    if (this.stands) this.released();
    this.stands = false;
  }

  lose(): void {
    this.stands = false;
    this.released();
    this.controller.abort(new LockLostError(this.key, this.token, 'session-lost'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/** Locks of one process, first come, first served, without etcd. */
export class FakeLocks implements LocksToUse {
  /** Who has what. */
  readonly held = new Map<string, FakeGrant>();
  /** What was asked for, with its options. */
  readonly asked: (readonly [string, LockOptions | undefined])[] = [];
  private readonly queues = new Map<string, (() => void)[]>();
  private lastToken = 0n;

  async using<T>(
    key: string,
    work: (lock: LockHandle) => T | PromiseLike<T>,
    options?: LockOptions,
  ): Promise<T> {
    this.asked.push([key, options]);
    await Promise.resolve();
    if (this.held.has(key)) {
      if (options?.waitMs === 0) throw new LockBusyError(key, 'other', 0);
      await this.turn(key, options?.signal);
    }
    return runWithLock(this.take(key), work);
  }

  /** Somebody else has it from now on. */
  take(key: string): FakeGrant {
    const grant = new FakeGrant(key, ++this.lastToken, () => {
      this.held.delete(key);
      this.queues.get(key)?.shift()?.();
    });
    this.held.set(key, grant);
    return grant;
  }

  /** How many wait for it. */
  waiting(key: string): number {
    return this.queues.get(key)?.length ?? 0;
  }

  private turn(key: string, signal: AbortSignal | undefined): Promise<void> {
    const queue = this.queues.get(key) ?? [];
    this.queues.set(key, queue);
    return new Promise((resolve, reject) => {
      queue.push(resolve);
      signal?.addEventListener('abort', () => {
        queue.splice(queue.indexOf(resolve), 1);
        reject(new LockWaitAbortedError(key, signal.reason));
      });
    });
  }
}
