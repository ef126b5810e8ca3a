import { Injectable, Module } from '@nestjs/common';
import {
  EtcdCoordinationModule,
  Leader,
  type LeaderTerm,
  OnElected,
  WatchConfig,
} from 'nestjs-etcd-coordination';
import { TestFleet } from 'nestjs-etcd-coordination/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// What is tested: it would be in files of its own.
@Injectable()
class Reconciler {
  readonly done: number[] = [];
  term: LeaderTerm | null = null;

  @WatchConfig('reconciler', { default: { batch: 2 } })
  readonly settings!: { readonly batch: number };

  @OnElected('reconciler')
  elected(term: LeaderTerm): void {
    this.term = term;
  }

  @Leader('reconciler', { otherwise: 'throw' })
  async reconcile(read: (order: number) => Promise<number>): Promise<number> {
    for (let order = 1; order <= this.settings.batch; order++) {
      const read1 = await read(order);
      // Nothing is written by one who no longer leads.
      this.term?.signal.throwIfAborted();
      this.done.push(read1);
    }
    return this.done.length;
  }
}

@Module({
  imports: [EtcdCoordinationModule.forRoot({ endpoints: ['etcd.example:2379'] })],
  providers: [Reconciler],
})
class AppModule {}

describe('the reconciler', () => {
  let fleet: TestFleet;

  beforeEach(async () => {
    fleet = await TestFleet.start(AppModule, { instances: 3 });
  });
  afterEach(() => fleet.close());

  it('runs where it leads, and nowhere else', async () => {
    const leader = await fleet.leaderOf('reconciler');
    const others = fleet.instances.filter((instance) => instance !== leader);
    expect(await leader.get(Reconciler).reconcile(async (order) => order)).toBe(2);
    for (const other of others) {
      await expect(other.get(Reconciler).reconcile(async (order) => order)).rejects.toThrow(
        leader.name,
      );
    }
  });

  it('goes by its configuration, from the moment that it changes', async () => {
    await fleet.setConfig('reconciler', { batch: 5 });
    const leader = await fleet.leaderOf('reconciler');
    expect(await leader.get(Reconciler).reconcile(async (order) => order)).toBe(5);
  });

  it('stops when leadership is lost in the middle of the work', async () => {
    const leader = await fleet.leaderOf('reconciler');
    const work = leader.get(Reconciler).reconcile(async (order) => {
      // It is frozen under its second order, for longer than its lease lasts.
      if (order === 2) {
        leader.freeze();
        await fleet.leaderOf('reconciler', { not: leader });
        leader.thaw();
      }
      return order;
    });
    await expect(work).rejects.toThrow('term');
    expect(leader.get(Reconciler).done).toEqual([1]);
  });
});
