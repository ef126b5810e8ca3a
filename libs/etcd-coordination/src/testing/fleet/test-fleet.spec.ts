import { Injectable, Module } from '@nestjs/common';
import {
  ConfigStore,
  DistributedLock,
  ElectionService,
  EtcdCoordinationModule,
  Leader,
  LockService,
  WatchConfig,
} from 'nestjs-etcd-coordination';
import { afterEach, describe, expect, it } from 'vitest';
import { EtcdClient } from '../../client/etcd-client.js';
import { EtcdSession } from '../../session/etcd-session.js';
import { TestingUsageError, TestWaitError } from '../testing.errors.js';
import type { FleetOptions } from './fleet-options.js';
import { type AppModule, TestFleet } from './test-fleet.js';
import type { TestInstance } from './test-instance.js';

class Greeting {
  readonly word: string = 'hello';
}

@Injectable()
class Worker {
  @WatchConfig('settings', { default: { size: 1 } })
  readonly settings!: { readonly size: number };

  constructor(readonly greeting: Greeting) {}

  @Leader('work')
  async work(): Promise<void> {}

  @DistributedLock('order/{id}')
  async ship(id: string, until: Promise<void>): Promise<string> {
    await until;
    return id;
  }
}

@Module({
  imports: [
    EtcdCoordinationModule.forRoot({
      endpoints: ['https://etcd.example:2379'],
      credentials: { rootCertificate: Buffer.from('-----BEGIN CERTIFICATE-----\n') },
      namespace: 'team',
      session: { ttlSeconds: 6 },
    }),
  ],
  providers: [Worker, Greeting],
})
class App {}

describe('a fleet', () => {
  const fleets: TestFleet[] = [];
  afterEach(async () => {
    await Promise.all(fleets.splice(0).map((fleet) => fleet.close()));
  });

  async function start(options: FleetOptions = {}, module: AppModule = App): Promise<TestFleet> {
    const fleet = await TestFleet.start(module, options);
    fleets.push(fleet);
    return fleet;
  }

  const elections = (instance: TestInstance) => instance.service(ElectionService);
  const leads = (instance: TestInstance) => elections(instance).term('work') !== null;

  it('redirects what the application says, and leaves the rest', async () => {
    const fleet = await start({ instances: ['a', 'b'] });
    expect((await fleet.leaderOf('work')).name).toBe('a');
    const { options } = fleet.instance('a').service(EtcdClient);
    expect(options).toMatchObject({ endpoints: [expect.stringContaining('127.0.0.1')] });
    expect(options).not.toHaveProperty('credentials');
    expect(fleet.etcd.entries('team/election/work/')).toHaveLength(2);
    expect(fleet.logs.some(({ message }) => message.includes('Elected in "work"'))).toBe(true);
  });

  it('takes providers of the test', async () => {
    const fleet = await start({
      override: (builder, name) =>
        builder.overrideProvider(Greeting).useValue({ word: `of ${name}` }),
    });
    expect(fleet.instances[0]!.get(Worker).greeting.word).toBe('of instance-1');
  });

  it('expires the session of one instance, which takes another one', async () => {
    const fleet = await start({ instances: 2 });
    const [first, second] = fleet.instances as [TestInstance, TestInstance];
    const [lease, other] = [first, second].map((one) => one.service(EtcdSession).lease!);
    first.expireSession();
    expect(await fleet.leaderOf('work', { not: first })).toBe(second);
    await fleet.time.until(() => first.service(EtcdSession).lease !== null);
    expect([lease!.isValid(), other!.isValid()]).toEqual([false, true]);
  });

  it('freezes one instance, which knows on waking what it has lost', async () => {
    const fleet = await start({ instances: 2 });
    const [first, second] = fleet.instances as [TestInstance, TestInstance];
    const term = await fleet.term(first, 'work');
    let told = false;
    term.signal.addEventListener('abort', () => (told = true));
    const before = fleet.time.now();
    first.freeze();
    await fleet.time.advance(5000);
    // It cannot know, and nobody else can lead yet.
    expect([told, leads(second)]).toEqual([false, false]);
    await fleet.leaderOf('work', { not: first });
    expect(term.isValid()).toBe(false);
    expect(fleet.time.now() - before).toBeLessThanOrEqual(6000 + 1);
    first.thaw();
    expect(told).toBe(true);
    await fleet.time.until(() => fleet.etcd.entries('team/election/work/').length === 2);
    expect(leads(second)).toBe(true);
  });

  it.each(['both', 'requests', 'answers'] as const)(
    'cuts one instance off (%s), and mends that',
    async (direction) => {
      const fleet = await start({ instances: 2 });
      const [first, second] = fleet.instances as [TestInstance, TestInstance];
      await fleet.time.advance(1000);
      second.cutOff(direction);
      const hasLost = () => second.service(EtcdSession).lease === null;
      expect(await fleet.time.until(hasLost, 6000)).toBe(true);
      expect(leads(first)).toBe(true);
      second.mend();
      expect(
        await fleet.time.until(() => second.service(EtcdSession).state === 'active', 30_000),
      ).toBe(true);
    },
  );

  it('keeps from etcd what was held back when what is cut off is frozen, or cut off another way', async () => {
    const fleet = await start();
    const [one] = fleet.instances as [TestInstance];
    one.cutOff('requests');
    const written = one.service(ConfigStore).set('settings', { size: 2 });
    await fleet.time.settle();
    const before = fleet.etcd.revision;
    one.freeze();
    one.thaw();
    one.cutOff('both');
    await fleet.time.settle();
    expect(fleet.etcd.revision).toBe(before);
    one.mend();
    await fleet.time.run(written);
    expect(fleet.etcd.revision).toBeGreaterThan(before);
  });

  it('waits for what an instance that is starting will come to', async () => {
    const fleet = await TestFleet.empty();
    fleets.push(fleet);
    const [added, leader] = await Promise.all([fleet.add(App), fleet.leaderOf('work')]);
    expect(leader).toBe(added);
  });

  it('lets a call of one instance fail, of the kind that is asked for', async () => {
    const fleet = await start({ instances: 2 });
    const [first, second] = fleet.instances as [TestInstance, TestInstance];
    first.failNext({ kind: 'write', status: 'PERMISSION_DENIED', details: 'permission denied' });
    const write = (one: TestInstance) =>
      fleet.time.run(one.service(ConfigStore).set('settings', { size: 2 }));
    await write(second);
    await expect(write(first)).rejects.toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });
    expect(first.pendingFaults).toBe(0);
    await write(first);
  });

  it('loses an answer, of what was applied all the same', async () => {
    const fleet = await start();
    const [one] = fleet.instances;
    const client = one!.service(EtcdClient);
    const write = (size: number) =>
      fleet.time.run(one!.service(ConfigStore).set('settings', { size }));
    const requestsOf = async (work: () => Promise<unknown>) => {
      const before = client.requestsSent;
      await work();
      return client.requestsSent - before;
    };
    await write(5);
    const usual = await requestsOf(() => write(6));
    one!.loseNextAnswer({ kind: 'write' });
    expect(await requestsOf(() => write(7))).toBeGreaterThan(usual);
    expect(one!.pendingFaults).toBe(0);
    const { revision } = await write(8);
    await fleet.configAt('settings', revision);
    expect(one!.get(Worker).settings).toEqual({ size: 8 });
    const versions = await fleet.time.run(one!.service(ConfigStore).history('settings'));
    // Each once, though one of them was asked for again.
    expect(versions).toHaveLength(4);
  });

  it('survives a change of the leader, a compaction and an outage', async () => {
    const fleet = await start({ instances: 2 });
    const leader = await fleet.leaderOf('work');
    const term = await fleet.term(leader, 'work');
    fleet.etcd.changeLeader();
    await fleet.time.advance(3000);
    fleet.etcd.put('team/something', 'else');
    fleet.etcd.compact();
    fleet.etcd.goAway();
    await fleet.time.advance(1000);
    fleet.etcd.comeBack();
    await fleet.time.advance(10_000);
    expect(term.isValid()).toBe(true);
    await fleet.setConfig('settings', { size: 3 });
    expect(fleet.instances.map((one) => one.get(Worker).settings.size)).toEqual([3, 3]);
  });

  it('ends a term when etcd is away for longer than its lease', async () => {
    const fleet = await start();
    const term = await fleet.term('instance-1', 'work');
    fleet.etcd.goAway();
    await fleet.time.advance(6000);
    expect(term.isValid()).toBe(false);
    fleet.etcd.comeBack();
    expect((await fleet.term('instance-1', 'work')).epoch).toBeGreaterThan(term.epoch);
  });

  it('waits for locks, and for watches', async () => {
    const fleet = await start({ instances: 2 });
    const [first, second] = fleet.instances as [TestInstance, TestInstance];
    let finish!: () => void;
    const held = first.get(Worker).ship('7', new Promise((resolve) => (finish = resolve)));
    expect(await fleet.lockHolder('order/7')).toBe(first);
    const waiting = second.get(Worker).ship('7', Promise.resolve());
    await fleet.lockWaiter('order/7', second);
    await expect(fleet.lockHolder('order/7', { by: second, withinMs: 1 })).rejects.toThrow(
      'held by "instance-1"; waiting, in this order: "instance-2".',
    );
    finish();
    expect(await fleet.time.run(Promise.all([held, waiting]))).toEqual(['7', '7']);
    await fleet.watching(first, 'config/settings/live/layer/shared');
    await expect(fleet.watching(first, 'nothing', { withinMs: 1 })).rejects.toThrow(TestWaitError);
  });

  it('stops an instance in good order, and another one takes over at once', async () => {
    const fleet = await start({ instances: 2 });
    const [first, second] = fleet.instances as [TestInstance, TestInstance];
    const before = fleet.time.now();
    await first.stop();
    expect(await fleet.leaderOf('work')).toBe(second);
    expect(fleet.time.now()).toBe(before);
    expect(() => first.freeze()).toThrow('was stopped');
  });

  it('does not meet another fleet of the process', async () => {
    const [one, two] = [await start(), await start()];
    const terms = await Promise.all([one, two].map((fleet) => fleet.term('instance-1', 'work')));
    expect(terms.every((term) => term.isValid())).toBe(true);
    await one.setConfig('settings', { size: 9 });
    one.instances[0]!.freeze();
    await one.time.advance(60_000);
    expect(two.instances[0]!.get(Worker).settings.size).toBe(1);
    expect(terms.map((term) => term.isValid())).toEqual([false, true]);
  });

  it('heals all, and ends all, though a timer of one throws on waking', async () => {
    const fleet = await start({ instances: 2 });
    const [first, second] = fleet.instances as [TestInstance, TestInstance];
    first.service(EtcdClient).clock.setTimer(() => {
      throw new Error('overdue');
    }, 1);
    for (const one of fleet.instances) one.freeze();
    await fleet.time.advance(1);
    expect(() => fleet.heal()).toThrow('overdue');
    expect(fleet.instances.map(({ isFrozen }) => isFrozen)).toEqual([false, false]);
    const lease = second.service(EtcdSession).lease!;
    await fleet.time.advance(20_000);
    expect([second.service(EtcdSession).lease, lease.isValid()]).toEqual([lease, true]);
  });

  it('keeps connections of different names apart', async () => {
    @Module({
      imports: [
        EtcdCoordinationModule.forRootAsync({
          useFactory: () => ({ endpoints: ['one.example:2379'] }),
        }),
        EtcdCoordinationModule.forRoot({ endpoints: ['two.example:2379'], connection: 'reports' }),
      ],
    })
    class Two {}
    const fleet = await start({}, Two);
    const locks = fleet.instances[0]!.service(LockService, 'reports');
    const lock = await fleet.time.run(locks.acquire('a'));
    await fleet.lockHolder('a', { connection: 'reports' });
    expect(fleet.etcd.entries('coordination/lock/')).toEqual([]);
    expect(fleet.etcdOf('reports').entries('coordination/lock/')).toHaveLength(1);
    await fleet.time.run(lock.release());
  });

  it('lives by real time where that is asked for', async () => {
    const fleet = await start({ time: 'real' });
    expect((await fleet.term('instance-1', 'work')).isValid()).toBe(true);
  });

  it('fails as the application fails, and leaves nothing open', async () => {
    class Broken {
      onModuleInit(): void {
        throw new Error('broken');
      }
    }
    @Module({ imports: [App], providers: [Broken] })
    class BrokenApp {}
    await expect(TestFleet.start(BrokenApp)).rejects.toThrow('broken');
  });

  it('says what is wrong with what it is asked for', async () => {
    const fleet = await start();
    const [one] = fleet.instances as [TestInstance];
    await expect(TestFleet.start(App, { instances: -1 })).rejects.toThrow(TestingUsageError);
    await expect(fleet.add(App, { name: 'instance-1' })).rejects.toThrow('is an instance');
    expect(() => fleet.instance('nobody')).toThrow('there is "instance-1"');
    expect(() => one.failNext({ status: 'OK' as never })).toThrow('gRPC status');
    expect(() => one.failNext({ kind: 'all' as never })).toThrow('kind of request');
    expect(() => one.cutOff('up' as never)).toThrow('direction');
    expect(() => one.expireSession('none')).toThrow('it has "default"');
    expect(() => one.url).toThrow('http: true');
    expect(() => fleet.etcd.compact(99_999n)).toThrow('present revision');
    await expect(fleet.time.advance(-1)).rejects.toThrow('never goes backwards');
    await expect(fleet.time.until(() => false, NaN)).rejects.toThrow('within NaN ms');
    await expect(fleet.configAt('unknown', 1n)).rejects.toThrow('No instance follows');
    await expect(fleet.leaderOf('nothing', { withinMs: 10 })).rejects.toThrow('nobody stands in');
    await fleet.close();
    await expect(fleet.time.advance(1)).rejects.toThrow('after the end');
    await expect(fleet.add(App)).rejects.toThrow('closed');
  });
});
