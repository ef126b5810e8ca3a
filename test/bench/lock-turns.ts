import type { LockHandle } from '../../libs/etcd-coordination/src/lock/lock-handle.js';
import type { LockOptions } from '../../libs/etcd-coordination/src/lock/lock-options.js';

/** What is locked with. */
export interface Locks {
  acquire(key: string, options?: LockOptions): Promise<LockHandle>;
}

/** Workers that take locks and give them back, again and again. */
export interface Turns {
  readonly workers: number;
  /** The lock of all, or of each by its number. */
  readonly lock: string | readonly string[];
  readonly options?: LockOptions;
  /**
   * Turns within it count, by the monotonic clock that all processes of a machine share, in
   * nanoseconds. They begin at once, which warms up.
   */
  readonly from: bigint;
  readonly until: bigint;
}

/** How many turns each worker had. Throws if two ever had the same lock at once. */
export async function takeTurns(locks: Locks, turns: Turns): Promise<number[]> {
  const { workers, lock, options, from, until } = turns;
  const counts = Array.from({ length: workers }, () => 0);
  const held = new Set<string>();
  const work = async (worker: number) => {
    const name = typeof lock === 'string' ? lock : lock[worker]!;
    for (;;) {
      const handle = await locks.acquire(name, options);
      const at = process.hrtime.bigint();
      if (held.has(name)) throw new Error(`Two workers hold the lock "${name}" at once.`);
      held.add(name);
      if (at >= from && at < until) counts[worker]! += 1;
      held.delete(name);
      await handle.release();
      if (at >= until) return;
    }
  };
  await Promise.all(counts.map((_, worker) => work(worker)));
  return counts;
}
