import type { Fence } from '../../libs/etcd-coordination/src/context/fence.js';
import { StaleFenceError } from '../../libs/etcd-coordination/src/context/stale-fence.error.js';

/** Keeps the newest fences in memory, as `FenceLedger` does in etcd. */
export class FakeLedger {
  readonly observed: Fence[] = [];
  /** Thrown by each observation, while there is one. */
  failure: Error | null = null;
  private readonly newest = new Map<string, bigint>();

  async observe(fence: Fence): Promise<void> {
    await Promise.resolve();
    if (this.failure) throw this.failure;
    this.observed.push(fence);
    const newest = this.newest.get(fence.resource) ?? 0n;
    if (newest > fence.token) throw new StaleFenceError(fence.resource, fence.token, newest);
    this.newest.set(fence.resource, fence.token);
  }
}
