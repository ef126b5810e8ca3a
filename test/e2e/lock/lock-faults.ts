import { setTimeout as pause } from 'node:timers/promises';
import type { EtcdCluster } from '../../support/etcd-cluster.js';
import type { SeededRandom } from '../../support/seeded-random.js';
import type { BlackholeWay } from '../../support/tcp-proxy.js';
import { machineNow } from '../election/machine-clock.js';
import type { Caught, LockFleet } from './lock-fleet.js';

/** How often each fault hit what it was aimed at. */
export interface Hits {
  /** Holders that stood still for longer than 3 × TTL while another process got the lock. */
  freezes: number;
  kills: number;
  cutOffsBothWays: number;
  cutOffsOneWay: number;
  leaderChanges: number;
}

export const noHits = (): Hits => ({
  ...{ freezes: 0, kills: 0, cutOffsBothWays: 0, cutOffsOneWay: 0, leaderChanges: 0 },
});

const CATCH_MS = 10_000;
/** However long the lock's next grant takes, nobody is held longer. */
const LONGEST_HOLD_MS = 20_000;
const WAKE_MS = 5_000;

type ProcessFault = 'freeze' | 'kill' | BlackholeWay;

/** Two that go on side by side, so that a successor is hit while its predecessor still stands still. */
const LANES: readonly (readonly ProcessFault[])[] = [
  ['freeze', 'both', 'freeze', 'to-server'],
  ['kill', 'freeze', 'to-client', 'kill'],
];

/** Does to the processes and to etcd what may happen to them, always to the holder of the moment. */
export class LockFaults {
  readonly hits = noHits();
  private over = false;

  constructor(
    private readonly fleet: LockFleet,
    private readonly cluster: EtcdCluster,
    private readonly ttlMs: number,
    private readonly random: SeededRandom,
  ) {}

  /** Goes on for so long; faults that have begun then come to their end. */
  async run(forMs: number): Promise<void> {
    const timer = setTimeout(() => (this.over = true), forMs);
    try {
      await Promise.all([...LANES.map((lane) => this.hitProcesses(lane)), this.hitEtcd()]);
    } finally {
      this.over = true;
      clearTimeout(timer);
    }
  }

  private async hitProcesses(lane: readonly ProcessFault[]): Promise<void> {
    for (let index = 0; !this.over; index += 1) {
      await pause(this.random.int(1000, 3000));
      const caught = this.over ? null : await this.fleet.catchHolder(CATCH_MS);
      if (!caught) continue;
      try {
        await this.hit(lane[index % lane.length]!, caught);
      } finally {
        caught.slot.busy = false;
      }
    }
  }

  private async hit(fault: ProcessFault, caught: Caught): Promise<void> {
    const { slot } = caught;
    if (fault === 'freeze') return this.freeze(caught);
    if (fault === 'kill') {
      await slot.worker.kill();
      this.hits.kills += 1;
      return this.fleet.succeed(slot);
    }
    for (const way of slot.ways) way.blackhole(fault);
    slot.worker.thaw();
    const passed = await this.heldUp(caught);
    await Promise.all(slot.ways.map((way) => way.pass()));
    if (!passed) return;
    if (fault === 'both') this.hits.cutOffsBothWays += 1;
    else this.hits.cutOffsOneWay += 1;
  }

  private async freeze(caught: Caught): Promise<void> {
    const { slot, token } = caught;
    const passed = await this.heldUp(caught);
    slot.worker.thaw();
    // A freeze that its victim has not noticed tests nothing.
    const woke = await this.fleet
      .noted((note) => note.type === 'woke' && note.token === token, 'the waking', WAKE_MS)
      .catch(() => null);
    if (passed && woke) this.hits.freezes += 1;
  }

  /** Waits for 3 × TTL at least, and until another process has had the lock; whether it has. */
  private async heldUp({ slot, token }: Caught): Promise<boolean> {
    const from = machineNow();
    await pause(3 * this.ttlMs + 50);
    const { id } = slot;
    return this.fleet
      .noted(
        (note) =>
          note.type === 'granted' && note.process !== id && BigInt(note.token) > BigInt(token),
        'the next holder',
        LONGEST_HOLD_MS - (machineNow() - from),
      )
      .then(
        () => true,
        () => false,
      );
  }

  /** One member after the other: killed, frozen, or relieved of the leadership in an orderly way. */
  private async hitEtcd(): Promise<void> {
    for (let index = 0; !this.over; index += 1) {
      await pause(this.random.int(3000, 5000));
      if (this.over) return;
      const before = await this.cluster.leader();
      const others = this.cluster.members.filter((member) => member !== before);
      if (index % 3 === 0) {
        await before.kill();
        await this.cluster.leader();
        await before.restart();
      } else if (index % 3 === 1) {
        await this.cluster.moveLeader(others[this.random.int(0, others.length - 1)]!);
      } else {
        before.freeze();
        await pause(this.random.int(1000, 2500));
        before.thaw();
      }
      if ((await this.cluster.leader()) !== before) this.hits.leaderChanges += 1;
    }
  }
}
