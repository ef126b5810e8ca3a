import { Injectable, Module } from '@nestjs/common';
import { EtcdCoordinationModule, Leader } from 'nestjs-etcd-coordination';
import { TestFleet } from 'nestjs-etcd-coordination/testing';
import type { Measure } from './alternate.js';

@Injectable()
class Reconciler {
  @Leader('reconciler')
  async reconcile(): Promise<void> {}
}

@Module({
  imports: [EtcdCoordinationModule.forRoot({ endpoints: ['etcd.example:2379'] })],
  providers: [Reconciler],
})
class AppModule {}

/** A user's test of leadership that is lost in the middle of the work: all of it, and in parts. */
export function fleetTestMeasure(): Measure {
  const part = (name: string, pick: (spans: Spans) => number) => ({
    name,
    run: async () => pick(await loseLeadership()),
  });
  return {
    title:
      'a test: two instances start, the leader is frozen past its lease, the other leads, all end',
    unit: 'ms',
    rounds: 15,
    contenders: [
      part('set-up and test', ({ setUp, body }) => setUp + body),
      part('set-up', ({ setUp }) => setUp),
      part('test', ({ body }) => body),
      part('end', ({ end }) => end),
    ],
  };
}

interface Spans {
  readonly setUp: number;
  readonly body: number;
  readonly end: number;
}

async function loseLeadership(): Promise<Spans> {
  const began = performance.now();
  const fleet = await TestFleet.start(AppModule, { instances: 2 });
  const set = performance.now();
  const leader = await fleet.leaderOf('reconciler');
  leader.freeze();
  await fleet.leaderOf('reconciler', { not: leader });
  leader.thaw();
  const done = performance.now();
  await fleet.close();
  return { setUp: set - began, body: done - set, end: performance.now() - done };
}
