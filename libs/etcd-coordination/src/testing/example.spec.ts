import { Injectable, Module } from '@nestjs/common';
import { currentTerm, EtcdCoordinationModule, Leader, WatchConfig } from 'nestjs-etcd-coordination';
import { TestFleet } from 'nestjs-etcd-coordination/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// The application; it would be in files of its own.

@Injectable()
class Reconciler {
  readonly settled: number[] = [];

  @WatchConfig('reconciler', { default: { batch: 2 } })
  readonly settings!: { readonly batch: number };

  @Leader('reconciler', { otherwise: 'throw' })
  async reconcile(settle: (order: number) => Promise<void>): Promise<number> {
    for (let order = 1; order <= this.settings.batch; order += 1) {
      await settle(order);
      currentTerm()!.signal.throwIfAborted();
      this.settled.push(order);
    }
    return this.settled.length;
  }
}

@Module({
  imports: [EtcdCoordinationModule.forRoot({ endpoints: ['etcd.internal:2379'] })],
  providers: [Reconciler],
})
class AppModule {}

// Its tests.

describe('the reconciler', () => {
  const settle = async () => undefined;
  let fleet: TestFleet;

  beforeEach(async () => {
    fleet = await TestFleet.start(AppModule, { instances: 3 });
  });
  afterEach(() => fleet.close());

  it('runs where it leads, and nowhere else', async () => {
    const leader = await fleet.leaderOf('reconciler');
    expect(await leader.get(Reconciler).reconcile(settle)).toBe(2);
    for (const other of fleet.instances.filter((instance) => instance !== leader)) {
      await expect(other.get(Reconciler).reconcile(settle)).rejects.toThrow(leader.name);
    }
  });

  it('goes by its settings from the moment that they change', async () => {
    await fleet.setConfig('reconciler', { batch: 5 });
    const leader = await fleet.leaderOf('reconciler');
    expect(await leader.get(Reconciler).reconcile(settle)).toBe(5);
  });

  it('settles nothing more once leadership is lost in the middle of the work', async () => {
    const leader = await fleet.leaderOf('reconciler');
    const work = leader.get(Reconciler).reconcile(async (order) => {
      if (order === 1) return;
      // For as long as it takes until another one leads: its lease runs out.
      leader.freeze();
      await fleet.leaderOf('reconciler', { not: leader });
      leader.thaw();
    });
    await expect(work).rejects.toMatchObject({ code: 'TERM_ENDED' });
    expect(leader.get(Reconciler).settled).toEqual([1]);
  });
});
