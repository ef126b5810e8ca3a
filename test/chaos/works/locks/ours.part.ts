import type { LockHandle } from '../../../../libs/etcd-coordination/src/lock/lock-handle.js';
import type {
  Lock,
  LockOptions,
} from '../../../../libs/etcd-coordination/src/lock/lock-options.js';
import { oursCode } from '../../systems/ours/ours-code.js';
import { OursOwned } from '../../systems/ours/ours-owned.js';
import type { OursPart, OursSystem } from '../../systems/ours/ours-system.js';
import { Owner } from '../owned/owner.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { COOL, HOT, lockOf } from './lock-names.js';
import { lockTurn } from './lock-turn.js';

/** The last of them stands in etcd's queue by itself; the others share a place. */
const HOT_WORKERS = 3;

/** Locks in all the ways in which the library gives them. */
class OursLocks {
  private readonly owner: Owner;
  private readonly pace: Pace;

  constructor(private readonly ground: Ground<OursSystem>) {
    this.owner = new Owner(ground);
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
  }

  start(): void {
    for (let index = 0; index < HOT_WORKERS; index += 1) {
      const isLast = index === HOT_WORKERS - 1;
      this.pace.work('a worker at the hot lock', [50, 350], () => this.turn(HOT, isLast));
    }
    this.pace.work('a worker at the cool locks', [100, 500], () => {
      const { random } = this.ground;
      return this.turn(COOL[random.int(0, COOL.length - 1)]!, random.chance(0.3));
    });
  }

  async stop(): Promise<void> {
    await this.pace.stop();
    await this.owner.settled();
  }

  private async turn(name: string, strict: boolean): Promise<void> {
    try {
      await this.tryTurn(name, this.options(strict));
    } catch (error) {
      this.without(name, error);
    }
  }

  private async tryTurn(name: string, options: LockOptions): Promise<void> {
    const { random, system } = this.ground;
    const how = `${options.queue}${options.keep ? ' keep' : ''}`;
    const lock = system.locks.lock(name);
    if (random.chance(0.6)) return this.used(name, lock, `using ${how}`, options);
    const handle = random.chance(0.1)
      ? await lock.tryAcquire(options)
      : await lock.acquire(options);
    if (!handle) {
      return this.owner.book.note({ type: 'without', of: lockOf(name), code: 'not free' });
    }
    try {
      await lockTurn(this.owner, this.owned(name, handle), `acquire ${how}`);
    } finally {
      await handle.release().catch((error: unknown) => this.ground.fault('release()', error));
    }
  }

  private async used(name: string, lock: Lock, how: string, options: LockOptions): Promise<void> {
    const { book } = this.owner;
    const of = lockOf(name);
    let last: { token: string; validAtEnd: boolean } | undefined;
    const work = async (handle: LockHandle) => {
      await lockTurn(this.owner, this.owned(name, handle), how);
      last = { token: handle.token.toString(), validAtEnd: handle.isValid() };
    };
    try {
      await lock.using(work, options);
      if (last) book.note({ type: 'used', of, outcome: 'resolved', ...last });
      else this.ground.fault('using()', new Error('It resolved, and its work had not run.'));
    } catch (error) {
      if (!last || oursCode(error) !== 'LOCK_LOST') throw error;
      book.note({ type: 'used', of, outcome: 'lost', ...last });
    }
  }

  private options(strict: boolean): LockOptions {
    const { random } = this.ground;
    const queue = strict && random.chance(0.7) ? 'etcd' : 'local';
    const keep = random.chance(0.3);
    // Some give up waiting, and must leave nothing behind that anyone waits for.
    if (random.chance(0.1)) return { queue, keep, waitMs: random.int(0, 400) };
    if (random.chance(0.1)) return { queue, keep, signal: AbortSignal.timeout(random.int(1, 400)) };
    return { queue, keep };
  }

  private owned(name: string, handle: LockHandle): OursOwned {
    return new OursOwned(
      this.ground.system,
      this.ground.namespace,
      lockOf(name),
      handle.token,
      handle,
    );
  }

  private without(name: string, error: unknown): void {
    const code = oursCode(error);
    if (code === null) return this.ground.fault(`the lock ${name}`, error);
    this.owner.book.note({ type: 'without', of: lockOf(name), code });
  }
}

export const part: OursPart = {
  start: (ground) => {
    const locks = new OursLocks(ground);
    locks.start();
    return Promise.resolve({ stop: () => locks.stop() });
  },
};
