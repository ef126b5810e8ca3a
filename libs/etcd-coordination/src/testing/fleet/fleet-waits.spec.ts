import { Injectable, Module, type Type } from '@nestjs/common';
import { EtcdCoordinationModule, Leader, LockService, WatchConfig } from 'nestjs-etcd-coordination';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestingUsageError } from '../testing.errors.js';
import { TestFleet } from './test-fleet.js';
import type { TestInstance } from './test-instance.js';

@Injectable()
class Worker {
  @WatchConfig('settings', { default: { size: 1 } })
  readonly settings!: { readonly size: number };

  @Leader('work')
  async work(): Promise<void> {}
}

function appIn(namespace: string, providers: Type[] = [Worker]): Type {
  @Module({
    imports: [EtcdCoordinationModule.forRoot({ endpoints: ['etcd.example:2379'], namespace })],
    providers,
  })
  class App {}
  return App;
}

describe('what a fleet waits for', () => {
  let fleet: TestFleet;
  beforeEach(async () => {
    fleet = await TestFleet.empty();
  });
  afterEach(() => fleet.close());

  const acquire = (one: TestInstance, ...args: Parameters<LockService['acquire']>) =>
    fleet.time.run(one.service(LockService).acquire(...args));

  describe('the holder of a lock', () => {
    let one: TestInstance;
    beforeEach(async () => {
      one = await fleet.add(appIn('team', []));
    });

    it('is none while the lock is only kept', async () => {
      const lock = await acquire(one, 'a', { keep: true });
      expect(await fleet.lockHolder('a')).toBe(one);
      await lock.release();
      expect(fleet.etcd.entries('team/lock/a/')).toHaveLength(1);
      await expect(fleet.lockHolder('a', { withinMs: 1 })).rejects.toThrow(
        'no work holds it, but the key of "instance-1" stands, as with the option keep; nobody waits for it.',
      );
    });

    it('is none while the lock is only withheld', async () => {
      const lock = await acquire(one, 'a', { holdAtLeastMs: 5000 });
      expect(await fleet.lockHolder('a')).toBe(one);
      await lock.release();
      await expect(fleet.lockHolder('a', { withinMs: 1 })).rejects.toThrow(
        'until its span is over nobody gets it',
      );
    });

    it('is each of those who read', async () => {
      const other = await fleet.add(appIn('team', []));
      const read = (who: TestInstance) => who.service(LockService).readWrite('a').read.acquire();
      await fleet.time.run(Promise.all([read(one), read(other)]));
      for (const by of [one, other]) expect(await fleet.lockHolder('a', { by })).toBe(by);
    });

    it('is told of each namespace, which has a lock of its own', async () => {
      const other = await fleet.add(appIn('others', []));
      await acquire(other, 'a');
      expect(await fleet.lockHolder('a')).toBe(other);
      await acquire(one, 'a');
      for (const by of [one, other]) expect(await fleet.lockHolder('a', { by })).toBe(by);
      await expect(fleet.lockWaiter('a', other, { withinMs: 1 })).rejects.toThrow(
        'in the namespace "team": held by "instance-1"; nobody waits for it. ' +
          'in the namespace "others": held by "instance-2"; nobody waits for it.',
      );
    });
  });

  it('writes a configuration in the namespace of those who follow it, and waits for no others', async () => {
    await fleet.add(appIn('idle', []));
    const [first, second] = [await fleet.add(appIn('one')), await fleet.add(appIn('two'))];
    const sizes = () => [first, second].map((one) => one.get(Worker).settings.size);
    await fleet.setConfig('settings', { size: 2 });
    expect(sizes()).toEqual([2, 1]);
    await fleet.setConfig('settings', { size: 3 }, { namespace: 'two' });
    expect(sizes()).toEqual([2, 3]);
  });

  it('writes no configuration that nobody would take, or nobody can write', async () => {
    const one = await fleet.add(appIn('team'));
    const before = fleet.etcd.revision;
    const value = { size: 2 };
    await expect(fleet.setConfig('unknown', value)).rejects.toThrow('No instance follows');
    const elsewhere = fleet.setConfig('settings', value, { namespace: 'nobody' });
    await expect(elsewhere).rejects.toThrow('No instance in the namespace "nobody" follows');
    one.cutOff();
    await expect(fleet.setConfig('settings', value)).rejects.toThrow('"instance-1" is cut off: ');
    expect(fleet.etcd.revision).toBe(before);
  });

  it('names who is in the way, and what ends that', async () => {
    const [one, two] = [await fleet.add(appIn('team')), await fleet.add(appIn('team'))];
    await fleet.leaderOf('work');
    two.freeze();
    await expect(fleet.term(two, 'work', { withinMs: 1 })).rejects.toThrow(
      'candidates, in this order: "instance-1", "instance-2". Note that "instance-2" is frozen: thaw()',
    );
    two.thaw();
    await two.stop();
    await expect(fleet.term(two, 'work')).rejects.toThrow(
      '"instance-2" was stopped and cannot be leading',
    );
    await expect(fleet.lockWaiter('a', two)).rejects.toThrow(TestingUsageError);
    await expect(fleet.lockHolder('a', { by: two })).rejects.toThrow(TestingUsageError);
    await expect(fleet.watching(two, 'a')).rejects.toThrow('start another one with fleet.add()');
    await expect(fleet.lockHolder('a', { connection: 'reports' })).rejects.toThrow(
      '"instance-1" has "default"',
    );
    expect(await fleet.leaderOf('work')).toBe(one);
  });
});
