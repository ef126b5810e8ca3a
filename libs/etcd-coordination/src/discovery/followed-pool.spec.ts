import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { FakeKv } from '../../../../test/support/fake-kv.js';
import { tempFolder } from '../../../../test/support/temp-folder.js';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdPermissionDeniedError } from '../client/etcd.errors.js';
import { instanceKey } from '../client/keys.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { DiscoverySnapshot } from './discovery-snapshot.js';
import { NoInstanceError } from './discovery.errors.js';
import { ServiceDiscovery } from './service.discovery.js';
import { readDiscoveryOptions } from './validate-discovery-options.js';

const IDLE_MS = 60_000;
const DENIED = new EtcdPermissionDeniedError('A watch', 'reader');

describe('a service that is followed', () => {
  let clock: VirtualClock;
  let kv: FakeKv;
  let discovery: ServiceDiscovery;
  let errors: MockInstance;
  let warnings: MockInstance;
  /** Watches that stand. */
  let watches: number;
  /** Whether etcd cannot be reached: watches that begin now never stand. */
  let isAway: boolean;
  /** The last of all watches. */
  let handlers: Parameters<WatchHub['watch']>[2];

  beforeEach(async () => {
    vi.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
    warnings = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    errors = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    clock = new VirtualClock();
    kv = new FakeKv();
    watches = 0;
    isAway = false;
    register('a');
    start({ idleMs: IDLE_MS });
  });
  afterEach(async () => {
    await discovery.close();
    expect([clock.pending, watches]).toEqual([0, 0]);
    vi.restoreAllMocks();
  });

  function start(options: object): void {
    const client = Object.assign(kv.client, { clock }) as EtcdClient;
    const watch = counted(kv.hub);
    discovery = new ServiceDiscovery({
      ...{
        client,
        watch,
        namespace: 'ns',
        instanceId: 'me',
        options: readDiscoveryOptions(options),
      },
    });
  }
  function counted(hub: WatchHub): WatchHub {
    const watch = (...args: Parameters<WatchHub['watch']>) => {
      handlers = args[2];
      const { cancel } = isAway ? { cancel: () => undefined } : hub.watch(...args);
      watches += 1;
      let isOver = false;
      const end = () => {
        if (!isOver) watches -= 1;
        isOver = true;
        return cancel();
      };
      return { cancel: end };
    };
    return { watch } as unknown as WatchHub;
  }
  function register(id: string, state = 'up'): void {
    const record = JSON.stringify({ address: `http://${id}:80`, state });
    kv.put(instanceKey('ns', 's', id), record, '7');
  }
  /** The member says that there is nothing new, as it does twice a second. */
  const hear = () => handlers.progress?.(BigInt(kv.revision));
  const ids = () => discovery.instances('s').map(({ id }) => id);

  it('is shown by lists that nobody can change for others', async () => {
    await discovery.ready('s');
    const list = discovery.instances('s') as ServiceInstance[];
    expect(() => list.pop()).toThrow(TypeError);
    expect(discovery.instances('s')).toBe(list);
    register('b');
    expect(ids()).toEqual(['a', 'b']);
  });

  describe('and that nobody asks for', () => {
    beforeEach(async () => {
      await discovery.ready('s');
      expect([ids(), watches]).toEqual([['a'], 1]);
    });

    it('is let go after its time, and followed anew when somebody asks', async () => {
      await clock.advance(IDLE_MS - 1);
      expect([discovery.services(), watches]).toEqual([['s'], 1]);
      await clock.advance(1);
      expect([discovery.services(), watches, clock.pending]).toEqual([[], 0, 0]);
      register('b');
      // Who cannot wait has what was known then.
      expect([ids(), discovery.choose('s').id, watches]).toEqual([['a'], 'a', 1]);
      expect(await discovery.call('s', ({ id }) => id, { exclude: new Set(['a']) })).toBe('b');
      await discovery.ready('s');
      expect(warnings).not.toHaveBeenCalled();
      expect([ids(), watches]).toEqual([['a', 'b'], 1]);
    });

    it.each<[string, () => unknown]>([
      ['a choice', () => discovery.choose('s')],
      ['a look at the list', () => discovery.instances('s')],
      ['a call', () => discovery.call('s', () => 'done')],
    ])('is kept by %s', async (_, use) => {
      for (let round = 0; round < 5; round += 1) {
        await clock.advance(IDLE_MS - 1);
        await use();
      }
      expect(discovery.services()).toEqual(['s']);
      await clock.advance(IDLE_MS);
      expect(discovery.services()).toEqual([]);
    });

    it('is kept by whoever subscribes, and for its time after that', async () => {
      const seen: string[][] = [];
      const subscription = discovery
        .instances$('s')
        .subscribe((list) => seen.push(list.map(({ id }) => id)));
      await clock.advance(10 * IDLE_MS);
      register('b');
      expect(seen).toEqual([['a'], ['a', 'b']]);
      subscription.unsubscribe();
      await clock.advance(2 * IDLE_MS);
      expect(discovery.services()).toEqual([]);
    });

    it('is not kept by those who look how it stands', async () => {
      for (let round = 0; round < 4; round += 1) {
        await clock.advance(IDLE_MS / 4);
        discovery.statuses();
      }
      expect(discovery.services()).toEqual([]);
    });

    it('is known as it was then, should etcd be away when somebody asks', async () => {
      await clock.advance(IDLE_MS);
      isAway = true;
      let isReady = false;
      const waiting = discovery.ready('s').then(() => (isReady = true));
      expect([ids(), discovery.choose('s').id]).toEqual([['a'], 'a']);
      await clock.advance(999);
      // etcd may have another list yet.
      expect(isReady).toBe(false);
      await clock.advance(1);
      await waiting;
      expect([ids(), discovery.choose('s').id]).toEqual([['a'], 'a']);
      expect(discovery.statuses()).toMatchObject([{ source: 'snapshot' }]);
      expect(warnings.mock.calls.flat()).toEqual([expect.stringMatching(/until etcd answers/)]);
      // Whatever it was that stood in is not what etcd has.
      await clock.advance(IDLE_MS);
      const again = discovery.ready('s');
      await clock.advance(1000);
      await again;
      expect(ids()).toEqual(['a']);
    });

    it('is kept for ever if that is asked for', async () => {
      await discovery.close();
      start({ idleMs: 0 });
      await discovery.ready('s');
      await clock.advance(100 * 600_000);
      expect(discovery.services()).toEqual(['s']);
    });
  });

  it('and loses most of its instances at once keeps them, and says so once', async () => {
    const others = ['b', 'c', 'd', 'e', 'f'];
    for (const id of others) register(id);
    await discovery.ready('s');
    for (const id of others) kv.delete(instanceKey('ns', 's', id));
    expect(ids()).toEqual(['a', ...others]);
    expect(discovery.statuses()).toMatchObject([{ instances: 6, protected: 5 }]);
    expect(warnings.mock.calls.flat()).toEqual([
      expect.stringMatching(
        /^5 of 6 instances of the service "s" were lost within 10 s .* kept in the list as protected/,
      ),
    ]);
    for (const id of others) register(id);
    expect(warnings.mock.calls.flat().slice(1)).toEqual([
      expect.stringMatching(/protection of the service "s" is over: 5 instances/),
    ]);
  });

  describe('and of whom most are lost', () => {
    const others = ['b', 'c', 'd', 'e', 'f'];
    const holdMs = 300_000;
    let file: string;

    beforeEach(async () => {
      await discovery.close();
      file = join(tempFolder('instances'), 'instances');
      start({ idleMs: 0, snapshot: { file } });
      for (const id of others) register(id);
      await discovery.ready('s');
    });
    const lose = () => {
      for (const id of others) kv.delete(instanceKey('ns', 's', id));
    };

    it('keeps them as long as etcd is away, and for their time after that', async () => {
      lose();
      await clock.advance(holdMs);
      expect(ids()).toEqual(['a', ...others]);
      register('b');
      hear();
      expect(ids()).toEqual(['a', ...others]);
      await clock.advance(holdMs - 1);
      hear();
      expect(discovery.statuses()).toMatchObject([{ instances: 6, protected: 4 }]);
      await clock.advance(1);
      expect(ids()).toEqual(['a', 'b']);
    });

    it('leaves the snapshot as it was until that is over', async () => {
      await clock.advance(2000);
      await waitFor(() => existsSync(file), { what: 'the snapshot' });
      lose();
      await clock.advance(2000);
      await discovery.close();
      const snapshot = new DiscoverySnapshot(file, 'ns', clock);
      await snapshot.open();
      expect(snapshot.read('s')?.entries).toHaveLength(6);
      await snapshot.close();
    });
  });

  it('and loses some, of whom some come back and take their leave unseen, believes that', async () => {
    const others = ['b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const id of others) register(id);
    await discovery.ready('s');
    for (const id of ['b', 'c', 'd']) kv.delete(instanceKey('ns', 's', id));
    // All in one batch, as after an interruption: five were lost, and two of them are not missing any more.
    kv.lags = true;
    for (const id of ['b', 'c']) {
      register(id);
      register(id, 'draining');
      kv.delete(instanceKey('ns', 's', id));
    }
    for (const id of ['e', 'f']) kv.delete(instanceKey('ns', 's', id));
    kv.tell();
    expect(ids()).toEqual(['a', 'g', 'h']);
    expect(warnings).not.toHaveBeenCalled();
  });

  it('and loses many, of whom some came back only to be lost again, keeps all of them', async () => {
    const others = ['b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const id of others) register(id);
    await discovery.ready('s');
    for (const id of ['b', 'c', 'd']) kv.delete(instanceKey('ns', 's', id));
    kv.lags = true;
    for (const id of ['b', 'c']) {
      register(id);
      kv.delete(instanceKey('ns', 's', id));
    }
    for (const id of ['e', 'f']) kv.delete(instanceKey('ns', 's', id));
    kv.tell();
    expect(ids()).toEqual(['a', ...others]);
    expect(discovery.statuses()).toMatchObject([{ instances: 8, protected: 5 }]);
  });

  it('and is emptied by leases that ran out in an outage is not, however few there are', async () => {
    for (const id of ['b', 'c']) register(id);
    await discovery.ready('s');
    kv.interrupt();
    for (const id of ['a', 'b', 'c']) kv.delete(instanceKey('ns', 's', id));
    expect(discovery.instances('s').map(({ id, isProtected }) => [id, isProtected])).toEqual([
      ['a', true],
      ['b', true],
      ['c', true],
    ]);
    for (const id of ['a', 'b', 'c']) register(id);
    expect(discovery.statuses()).toMatchObject([{ instances: 3, protected: 0 }]);
    // A while after it, deaths are deaths again.
    await clock.advance(30_000);
    for (const id of ['a', 'b', 'c']) kv.delete(instanceKey('ns', 's', id));
    expect(ids()).toEqual([]);
  });

  describe('and whose list is refused', () => {
    it('keeps what is known, and is asked for again until it is shown', async () => {
      await discovery.ready('s');
      kv.refuse(DENIED);
      register('b');
      await settle();
      expect([ids(), watches]).toEqual([['a'], 0]);
      expect(discovery.choose('s').id).toBe('a');
      expect(discovery.statuses()).toMatchObject([{ error: DENIED, source: 'etcd' }]);
      await clock.advance(9_999);
      expect([ids(), watches]).toEqual([['a'], 0]);
      await clock.advance(1);
      expect([ids(), watches]).toEqual([['a', 'b'], 1]);
      expect(discovery.statuses()).toMatchObject([{ error: null }]);
    });

    it('says so to whoever waits or chooses, once in the log, and is ready when it is granted', async () => {
      const waiting = discovery.ready('s').catch((error: unknown) => error);
      kv.refuse(DENIED);
      expect(await waiting).toBe(DENIED);
      await expect(discovery.ready('s')).rejects.toBe(DENIED);
      expect(() => discovery.choose('s')).toThrow(NoInstanceError);
      expect(() => discovery.choose('s')).toThrow(/its list is refused: .*reader/);
      // Refused once more.
      clock.freeze(10_000);
      const again = clock.advance(0);
      await Promise.resolve();
      kv.refuse(DENIED);
      await again;
      expect(errors.mock.calls.flat()).toEqual([
        expect.stringMatching(/^The service "s" cannot be followed: .* It is tried again\.$/),
      ]);
      await clock.advance(10_000);
      await discovery.ready('s');
      expect(ids()).toEqual(['a']);
    });
  });
});
