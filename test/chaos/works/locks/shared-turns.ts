import type { Lock } from '../../../../libs/etcd-coordination/src/lock/lock-options.js';
import { oursCode } from '../../systems/ours/ours-code.js';
import { OursOwned } from '../../systems/ours/ours-owned.js';
import type { OursSystem } from '../../systems/ours/ours-system.js';
import { Owner } from '../owned/owner.js';
import { Pace } from '../pace.js';
import type { Ground, Running } from '../work.js';
import { lockTurn } from './lock-turn.js';

/** What the next turn is under. */
export interface SharedTurn {
  readonly of: string;
  readonly lock: Lock;
  readonly how: string;
  /** Whether others may have it beside this one without being counted, as readers may. */
  readonly shared: boolean;
}

const WORKERS = 2;

/** Takes what several may have at a time, over and over, and writes under it, in time and too late. */
export class SharedTurns implements Running {
  private readonly owner: Owner;
  private readonly pace: Pace;

  constructor(
    private readonly ground: Ground<OursSystem>,
    next: () => SharedTurn,
  ) {
    this.owner = new Owner(ground);
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
    for (let index = 0; index < WORKERS; index += 1) {
      this.pace.work('a worker at what is shared', [200, 900], () => this.turn(next()));
    }
  }

  async stop(): Promise<void> {
    await this.pace.stop();
    await this.owner.settled();
  }

  private async turn({ of, lock, how, shared }: SharedTurn): Promise<void> {
    const { random, system, namespace, fault } = this.ground;
    try {
      const handle = await lock.acquire(random.chance(0.1) ? { waitMs: random.int(0, 400) } : {});
      try {
        const owned = new OursOwned(system, namespace, of, handle.token, handle, shared);
        await lockTurn(this.owner, owned, how);
      } finally {
        await handle.release().catch((error: unknown) => fault('release()', error));
      }
    } catch (error) {
      const code = oursCode(error);
      if (code === null) return fault(of, error);
      this.owner.book.note({ type: 'without', of, code });
    }
  }
}
