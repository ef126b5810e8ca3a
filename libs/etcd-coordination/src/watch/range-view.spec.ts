import { Logger } from '@nestjs/common';
import type { IEvent, IKeyValue } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { settle } from '../../../../test/support/virtual-clock.js';
import { systemClock } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { PrefixView } from './prefix-view.js';
import type { RangeChanges } from './range-change.js';
import type { RangeWatchHandlers } from './range-watch.js';
import type { WatchHub } from './watch-hub.js';

/** What one answer of etcd may take, in bytes. */
const LARGE = 2 ** 20;

describe('the view of a range', () => {
  let watches: RangeWatchHandlers[];
  let kvs: IKeyValue[];
  let revision: number;
  let view: PrefixView;
  let laterMs: number;
  const logged = vi.fn<(text: string) => void>();

  beforeEach(() => {
    [watches, kvs, revision, laterMs] = [[], [], 10, 0];
    logged.mockReset();
    vi.spyOn(Logger.prototype, 'error').mockImplementation(logged);
    vi.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
    const hub = {
      watch: (_range: unknown, _start: unknown, handlers: RangeWatchHandlers) => {
        watches.push(handlers);
        return { cancel: () => undefined };
      },
    };
    const client = {
      clock: { ...systemClock, now: () => systemClock.now() + laterMs },
      options: { connection: 'test' },
      range: async () => ({ kvs, header: { revision: `${revision}`, cluster_id: '1' } }),
    };
    view = new PrefixView(client as unknown as EtcdClient, hub as unknown as WatchHub, 'ns/', {
      checkIntervalMs: 0,
    });
  });
  afterEach(() => {
    view.close();
    vi.restoreAllMocks();
  });

  async function stand(): Promise<void> {
    watches.at(-1)!.standing(BigInt(revision), false, '1');
    await settle();
    await settle();
  }
  const events = (...told: IEvent[]) => watches.at(-1)!.events(told);
  const throwing = () => {
    throw new Error('my fault');
  };

  it('is not hurt by who listens or follows and throws, nor are the others', async () => {
    const [looks, changes]: [bigint[], RangeChanges<IKeyValue>[]] = [[], []];
    view.subscribe(throwing);
    view.subscribe(() => looks.push(view.revision));
    view.follow(throwing);
    view.follow((told) => changes.push(told));
    kvs = [put('a', 5)];
    await stand();
    events({ type: 'Put', kv: put('a', 11) } as IEvent);
    events({ type: 'Delete', kv: put('a', 12) } as IEvent);
    view.close();

    expect(looks).toEqual([10n, 11n, 12n, 12n]);
    expect(changes.map((told) => told.changes.map(({ type }) => type))).toEqual([
      ['put'],
      ['delete'],
    ]);
    expect([view.entries.size, view.revision]).toEqual([0, 12n]);
    expect(logged).toHaveBeenCalledTimes(4 + 2);
    expect(logged.mock.calls[0]![0]).toMatch(/^Something that follows ns\/ failed.*my fault/);
  });

  it('is no younger by what tells it of the past, after an interruption or a freeze', async () => {
    const told = (at: number) => events({ type: 'Put', kv: put('a', at) } as IEvent);
    const isOld = () => view.ageMs() >= 60_000;
    await stand();
    laterMs = 60_000;
    const { standing, progress, behind } = watches.at(-1)!;
    standing(20n, true, '1');
    told(15);
    progress!(19n);
    expect(isOld()).toBe(true);
    told(21);
    expect(isOld()).toBe(false);

    laterMs = 120_000;
    behind!(null);
    told(25);
    progress!(40n);
    behind!(40n);
    told(30);
    progress!(39n);
    expect(isOld()).toBe(true);
    progress!(40n);
    expect(isOld()).toBe(false);
  });

  it('keeps no large answer alive by the small values that came in it, nor does what it tells', async () => {
    const kept: IKeyValue[] = [];
    const resyncs: boolean[] = [];
    view.follow((told) => {
      resyncs.push(told.resync);
      for (const { kv } of told.changes) kept.push(kv);
    });
    kvs = [put('listed', 5, Buffer.alloc(LARGE))];
    await stand();
    events({ type: 'Put', kv: put('told', 11, Buffer.alloc(LARGE)) } as IEvent);
    // What was compacted away is told by a fresh list.
    watches.at(-1)!.compacted(12n);
    kvs = [put('listed', 5, Buffer.alloc(LARGE)), put('relisted', 13, Buffer.alloc(LARGE))];
    revision = 13;
    await stand();

    expect(resyncs).toEqual([false, true]);
    expect(kept.map(({ key }) => key.toString())).toEqual(['ns/told', 'ns/relisted', 'ns/told']);
    expect([...view.entries.keys()]).toEqual(['ns/listed', 'ns/relisted']);
    const backing = [...kept, ...view.entries.values()].flatMap(({ key, value }) => [
      key.buffer.byteLength,
      value.buffer.byteLength,
    ]);
    expect(Math.max(...backing)).toBeLessThan(LARGE);
    expect(view.entries.get('ns/relisted')!.value.toString()).toBe('x');
  });
});

/** With key and value as slices of one answer, as they are decoded. */
function put(name: string, at: number, answer = Buffer.alloc(64)): IKeyValue {
  const keyEnd = answer.write(`ns/${name}`);
  answer.write('x', keyEnd);
  return {
    key: answer.subarray(0, keyEnd),
    value: answer.subarray(keyEnd, keyEnd + 1),
    mod_revision: `${at}`,
    create_revision: '5',
    version: '1',
    lease: '0',
  };
}
