import { Logger } from '@nestjs/common';
import type { IEvent, IKeyValue } from 'etcd3';
import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { settle } from '../../../../test/support/virtual-clock.js';
import { systemClock } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdPermissionDeniedError } from '../client/etcd.errors.js';
import type { RangeWatchHandlers } from './range-watch.js';
import type { WatchHub } from './watch-hub.js';
import { WatchService } from './watch.service.js';

describe('what a watch service tells', () => {
  let watches: { key: string; handlers: RangeWatchHandlers; cancelled: boolean }[];
  let kvs: IKeyValue[];
  let revision: number;
  let service: WatchService;
  const logged = vi.fn<(text: string) => void>();

  beforeEach(() => {
    [watches, kvs, revision] = [[], [], 10];
    logged.mockReset();
    vi.spyOn(Logger.prototype, 'error').mockImplementation(logged);
    vi.spyOn(Logger.prototype, 'warn').mockImplementation(logged);
    const hub = {
      watch: ({ key }: { key: Buffer }, _start: unknown, handlers: RangeWatchHandlers) => {
        const one = { key: key.toString(), handlers, cancelled: false };
        watches.push(one);
        return { cancel: () => (one.cancelled = true) };
      },
    };
    const client = {
      clock: systemClock,
      options: { connection: 'test' },
      range: async () => ({ kvs, header: { revision: `${revision}`, cluster_id: '1' } }),
    };
    service = new WatchService(client as unknown as EtcdClient, hub as unknown as WatchHub, 'ns', {
      checkIntervalMs: 0,
    });
  });
  afterEach(() => vi.restoreAllMocks());

  async function stand(index = 0): Promise<RangeWatchHandlers> {
    const { handlers } = watches[index]!;
    handlers.standing(BigInt(revision), false, '1');
    await settle();
    await settle();
    return handlers;
  }

  it.each([
    ['', /empty/],
    [7, /string, not number/],
    [undefined, /string, not undefined/],
    ['a\ud800', /surrogate/],
  ])('refuses to watch %o before anything is sent', (name, why) => {
    for (const ask of [service.key, service.prefix, service.state]) {
      expect(() => (ask as (name: string) => unknown).call(service, name as string)).toThrow(
        expect.objectContaining({ code: 'INVALID_WATCH', message: expect.stringMatching(why) }),
      );
    }
    expect(watches).toEqual([]);
  });

  it.each([0n, -1n, 5, 2n ** 63n])('refuses to begin at revision %s', (fromRevision) => {
    expect(() => service.key('a', { fromRevision: fromRevision as bigint })).toThrow(
      expect.objectContaining({ code: 'INVALID_WATCH' }),
    );
  });

  it('is asked of etcd by the first subscriber, and ends with the last', async () => {
    const source = service.prefix('a/');
    expect(watches).toEqual([]);
    const subscriptions = [source, service.key('a/1'), service.prefix('a/b/'), source].map((one) =>
      one.subscribe(),
    );
    await stand();
    expect(watches).toHaveLength(1);
    for (const subscription of subscriptions) {
      expect(watches[0]!.cancelled).toBe(false);
      subscription.unsubscribe();
    }
    expect(watches[0]!.cancelled).toBe(true);
    service.key('a/1').subscribe();
    expect(watches).toHaveLength(2);
  });

  it('reaches each whom it concerns, even if others throw, leave or come meanwhile', async () => {
    const told: Record<string, string[]> = {};
    const into = (name: string) => (event: { key: string }) =>
      void (told[name] ??= []).push(event.key);
    service.prefix('a/').subscribe(() => {
      throw new Error('broken');
    });
    const leaving: Subscription = service.prefix('a/').subscribe((event) => {
      into('leaving')(event);
      leaving.unsubscribe();
    });
    let late: Subscription | undefined;
    service.key('a/1').subscribe((event) => {
      into('key')(event);
      late ??= service.prefix('a/').subscribe(into('late'));
    });
    service.prefix('a/').subscribe(into('all'));
    const handlers = await stand();
    handlers.events([put('a/1', 11), put('a/2', 11), put('a/1', 12)]);
    handlers.events([put('a/3', 13)]);
    expect(told).toEqual({
      leaving: ['a/1'],
      key: ['a/1', 'a/1'],
      // What came at once with the event that it was begun in is not after it.
      late: ['a/3'],
      all: ['a/1', 'a/2', 'a/1', 'a/3'],
    });
    expect(logged).toHaveBeenCalledTimes(4);
  });

  it('leaves keys out that are not UTF-8, with one warning', async () => {
    const keys: string[] = [];
    service.prefix('a/').subscribe(({ key }) => keys.push(key));
    const state = service.state('a/');
    state.subscribe();
    const bad = Buffer.concat([Buffer.from('ns/a/'), Buffer.of(0xff)]);
    kvs = [{ ...put('a/1', 5).kv, key: bad }, put('a/2', 6).kv];
    const [first, second] = [await stand(0), await stand(1)];
    for (const handlers of [first, second]) {
      handlers.events([
        { ...put('a/1', 11), kv: { ...put('a/1', 11).kv, key: bad } },
        put('a/3', 12),
      ]);
    }
    expect(keys).toEqual(['a/3']);
    expect([...state.current.keys()]).toEqual(['a/2', 'a/3']);
    expect(logged.mock.calls.filter(([text]) => /UTF-8/.test(text))).toHaveLength(2);
  });

  it('shows maps in the order of etcd, each as it was, whatever comes after', async () => {
    const state = service.state('a/');
    const maps: ReadonlyMap<string, { text(): string }>[] = [];
    state.subscribe((map) => maps.push(map));
    kvs = [put('a/\u{1f600}', 5).kv, put('a/\uffee', 6).kv, put('a/b', 7).kv];
    const handlers = await stand();
    handlers.events([put('a/b', 11, 'new'), put('a/c', 11), remove('a/\uffee', 12)]);
    expect(maps.map((map) => [...map.keys()])).toEqual([
      ['a/b', 'a/\uffee', 'a/\u{1f600}'],
      ['a/b', 'a/c', 'a/\uffee', 'a/\u{1f600}'],
      ['a/b', 'a/c', 'a/\u{1f600}'],
    ]);
    expect(maps.map((map) => map.get('a/b')!.text())).toEqual(['x', 'new', 'new']);
    expect((maps[0] as { set?: unknown }).set).toBeUndefined();
    expect([state.revision, state.current]).toEqual([12n, maps[2]]);
  });

  it('tells what was changed while it began, and takes no state back by it', async () => {
    const told: string[] = [];
    service.prefix('a/').subscribe(({ key, revision: at }) => told.push(`${key} ${at}`));
    const state = service.state('a/');
    const shown: string[] = [];
    state.subscribe((map) => shown.push(String(map.get('a/1'))));
    kvs = [put('a/1', 12, 'second').kv];
    revision = 12;
    for (const { handlers } of watches) {
      handlers.standing(10n, false, '1');
      // The list, which is on its way, holds both; the second comes after it all the same.
      handlers.events([put('a/1', 11, 'first')]);
    }
    await settle();
    await settle();
    for (const { handlers } of watches) {
      handlers.events([put('a/1', 12, 'second'), put('a/2', 13)]);
    }
    expect(told).toEqual(['a/1 11', 'a/1 12', 'a/2 13']);
    expect(shown).toEqual(['second', 'second']);
    expect(state.revision).toBe(13n);
  });

  it('tells nothing twice that a list has told already, though etcd sends it after that', async () => {
    const told: string[] = [];
    service
      .prefix('a/')
      .subscribe(({ key, revision: at, resync }) => told.push(`${key} ${at} ${resync}`));
    const first = await stand();
    first.compacted(14n);
    kvs = [put('a/1', 14).kv];
    revision = 15;
    const second = await stand(1);
    second.events([put('a/1', 14), put('a/1', 16)]);
    expect(told).toEqual(['a/1 14 true', 'a/1 16 false']);
  });

  it('shows who subscribes to a state in its callback the present map, and the later ones once', async () => {
    const state = service.state('a/');
    const late: number[] = [];
    let begun = false;
    state.subscribe((map) => {
      if (map.size === 1 && !begun) {
        begun = true;
        service.state('a/').subscribe((shown) => late.push(shown.size));
      }
    });
    const handlers = await stand();
    handlers.events([put('a/1', 11), put('a/2', 12)]);
    expect(late).toEqual([1, 2]);
  });

  it('shows a state that is begun by an event as it is, and not what led to it again', async () => {
    const shown: string[] = [];
    let state: Subscription | undefined;
    service.prefix('a/', { previous: true }).subscribe(() => {
      state ??= service.state('a/').subscribe((map) => shown.push(String(map.get('a/1'))));
    });
    const handlers = await stand();
    handlers.events([put('a/1', 11, '1'), put('a/1', 12, '2'), put('a/1', 13, '3')]);
    handlers.events([put('a/1', 14, '4')]);
    expect(shown).toEqual(['3', '4']);
  });

  it('calls onStanding of a watch whose wider one was refused', async () => {
    const stood: bigint[] = [];
    service.prefix('a/').subscribe({ error: () => undefined });
    service.prefix('a/b/', { onStanding: (at) => stood.push(at) }).subscribe();
    watches[0]!.handlers.refused(new EtcdPermissionDeniedError('A watch', 'ada'));
    await stand(1);
    expect(stood).toEqual([10n]);
  });

  it('keeps 20,000 revisions over 10,000 keys apart', async () => {
    const state = service.state('a/');
    let shown = 0;
    let first: ReadonlyMap<string, unknown> | undefined;
    state.subscribe((map) => {
      first ??= map;
      shown += 1;
    });
    kvs = Array.from({ length: 10_000 }, (_, index) => put(`a/${index}`, 5).kv);
    const handlers = await stand();
    const events = Array.from({ length: 20_000 }, (_, index) =>
      put(`a/${index % 10_000}`, 11 + index, 'n'),
    );
    handlers.events(events);
    expect(shown).toBe(20_001);
    expect([...first!.values()].every((value) => String(value) === 'x')).toBe(true);
  });
});

function put(key: string, revision: number, value = 'x'): IEvent {
  const kv = {
    key: Buffer.from(`ns/${key}`),
    value: Buffer.from(value),
    mod_revision: `${revision}`,
    create_revision: '5',
    version: '1',
    lease: '0',
  };
  return { type: 'Put', kv } as unknown as IEvent;
}

function remove(key: string, revision: number): IEvent {
  return { ...put(key, revision, ''), type: 'Delete' };
}
