import type { Lease, Lock } from 'etcd3';
import { createRevision, Etcd3Owned } from '../../systems/etcd3/etcd3-owned.js';
import type { Etcd3Part, Etcd3System } from '../../systems/etcd3/etcd3-system.js';
import { codeOf, Owner } from '../owned/owner.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { COOL, HOT, lockOf } from './lock-names.js';
import { lockTurn } from './lock-turn.js';

/** As many as in the library's part; each attempt takes etcd3 up to three calls. */
const HOT_WORKERS = 3;

/** etcd3's lock, which fails at once when it is held, in a loop that tries again, as everybody writes it. */
class Etcd3Locks {
  private readonly owner: Owner;
  private readonly pace: Pace;

  constructor(private readonly ground: Ground<Etcd3System>) {
    this.owner = new Owner(ground);
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
  }

  start(): void {
    for (let index = 0; index < HOT_WORKERS; index += 1) {
      this.pace.work('a worker at the hot lock', [100, 500], () => this.turn(HOT));
    }
    this.pace.work('a worker at the cool locks', [200, 800], () =>
      this.turn(COOL[this.ground.random.int(0, COOL.length - 1)]!),
    );
  }

  async stop(): Promise<void> {
    await this.pace.stop();
    await this.owner.settled();
  }

  private async turn(name: string): Promise<void> {
    const { system } = this.ground;
    const of = lockOf(name);
    const lock = system.keys.lock(of).ttl(system.ttlSeconds);
    try {
      await lock.acquire();
    } catch (error) {
      return this.owner.book.note({ type: 'without', of, code: codeOf(error) });
    }
    try {
      const token = await createRevision(system, of, await lock.leaseId());
      if (token === null) return;
      const owned = new Etcd3Owned(system, of, token);
      owned.watchLease(leaseOf(lock));
      await lockTurn(this.owner, owned, 'lock');
    } catch (error) {
      this.owner.book.note({ type: 'without', of, code: codeOf(error) });
    } finally {
      await lock.release().catch(() => undefined);
    }
  }
}

/** A lock has no public word of its loss; its lease has. */
function leaseOf(lock: Lock): Lease {
  return (lock as unknown as { readonly lease: Lease }).lease;
}

export const part: Etcd3Part = {
  start: (ground) => {
    const locks = new Etcd3Locks(ground);
    locks.start();
    return Promise.resolve({ stop: () => locks.stop() });
  },
};
