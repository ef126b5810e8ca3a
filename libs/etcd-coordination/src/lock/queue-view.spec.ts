import { Logger } from '@nestjs/common';
import type { IEvent, IKeyValue } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdPermissionDeniedError } from '../client/etcd.errors.js';
import type { RangeWatchHandlers } from '../watch/range-watch.js';
import type { WatchHub } from '../watch/watch-hub.js';
import { QueueView } from './queue-view.js';

const PREFIX = 'ns/lock/l/queue/';

describe('the view of a queue', () => {
  let view: QueueView;
  let watch: RangeWatchHandlers;
  let listed: { revision: number; kvs: IKeyValue[] };
  /** What it said had changed, without the prefix. */
  let told: (string[] | null)[];
  let warned: string[];

  beforeEach(() => {
    listed = { revision: 10, kvs: [] };
    warned = [];
    vi.spyOn(Logger.prototype, 'debug').mockReturnValue();
    vi.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => {
      warned.push(line);
    });
    const hub = {
      watch: (_range: unknown, _start: unknown, handlers: RangeWatchHandlers) => {
        watch = handlers;
        return { cancel: () => undefined };
      },
    };
    const client = {
      clock: systemClock,
      options: { connection: 'test' },
      range: async () => ({
        kvs: listed.kvs,
        header: { revision: `${listed.revision}`, cluster_id: '1' },
      }),
    };
    told = [];
    view = new QueueView(
      client as unknown as EtcdClient,
      hub as unknown as WatchHub,
      PREFIX,
      (keys) => told.push(keys && [...keys].map((key) => key.slice(PREFIX.length))),
    );
  });
  afterEach(() => {
    view.close();
    vi.restoreAllMocks();
  });

  /** Lists, and is told everything after that by the watch. */
  async function sync(revision: number, ...kvs: IKeyValue[]): Promise<void> {
    listed = { revision, kvs };
    watch.standing(BigInt(revision), false, '1');
    await vi.waitUntil(() => view.synced, { interval: 1 });
  }

  const order = () => view.entries.map(({ key }) => key.slice(PREFIX.length));

  describe('shows who stands in it', () => {
    it('in the order in which they came, as the list has them', async () => {
      await sync(1001, kv('a-0-w', 1000), kv('b-0-w', 999), kv('c-0-w', 1001));
      expect(order()).toEqual(['b-0-w', 'a-0-w', 'c-0-w']);
    });

    it('in the order in which they came, as they come and go', async () => {
      await sync(10, kv('b-0-w', 9));
      watch.events([put('c-0-w', 11), put('a-0-w', 12)]);
      expect(order()).toEqual(['b-0-w', 'c-0-w', 'a-0-w']);
      watch.events([remove('c-0-w', 13), put('d-0-r', 13)]);
      expect(order()).toEqual(['b-0-w', 'a-0-w', 'd-0-r']);
      watch.events([remove('b-0-w', 14)]);
      expect(order()).toEqual(['a-0-w', 'd-0-r']);
    });

    it('in one order for all if they came in one transaction, in whatever order they are told', async () => {
      await sync(10, kv('c-0-w', 9));
      watch.events([put('b-0-w', 11), put('a-0-w', 11)]);
      expect(order()).toEqual(['c-0-w', 'a-0-w', 'b-0-w']);
    });

    it('at the end if somebody came again under the same key', async () => {
      await sync(12, kv('a-0-w', 11), kv('b-0-w', 12));
      watch.events([remove('a-0-w', 13), put('a-0-w', 14)]);
      expect(order()).toEqual(['b-0-w', 'a-0-w']);
      expect(view.standing(`${PREFIX}a-0-w`)).toMatchObject({ create_revision: '14' });
    });

    it('at its place still if its key was put over', async () => {
      await sync(12, kv('a-0-w', 11), kv('b-0-w', 12));
      watch.events([put('a-0-w', 13, { created: 11 })]);
      expect(order()).toEqual(['a-0-w', 'b-0-w']);
      expect(view.entries[0]!.kv.mod_revision).toBe('13');
    });

    it('and whether they read or write', async () => {
      await sync(12, kv('a-0-r', 11), kv('b-0-w', 12));
      expect(view.entries.map(({ shared }) => shared)).toEqual([true, false]);
    });
  });

  describe('tells what is nobody’s', () => {
    it('when somebody puts something over a key, off its lease', async () => {
      await sync(11, kv('a-0-w', 11));
      expect(view.standing(`${PREFIX}a-0-w`)).not.toBeNull();
      watch.events([put('a-0-w', 12, { created: 11, lease: '0' })]);
      expect(view.entries).toMatchObject([{ orphan: true }]);
      expect(view.standing(`${PREFIX}a-0-w`)).toBeNull();
      watch.events([put('a-0-w', 13, { created: 11 })]);
      expect(view.entries).toMatchObject([{ orphan: false }]);
      expect(view.standing(`${PREFIX}a-0-w`)).not.toBeNull();
    });

    it('and leaves out strangers, and says of each once that it can go', async () => {
      await sync(11, kv('junk', 9), kv('a-0-w', 11));
      expect(order()).toEqual(['a-0-w']);
      expect(view.standing(`${PREFIX}junk`)).toBeNull();
      watch.events([put('junk', 12, { created: 9 }), put('rubbish', 13)]);
      watch.events([remove('junk', 14), put('junk', 15)]);
      expect(order()).toEqual(['a-0-w']);
      expect(warned).toHaveLength(2);
      expect(warned[0]).toMatch(`The key ${PREFIX}junk is nobody's`);
      expect(warned[1]).toMatch(`The key ${PREFIX}rubbish is nobody's`);
    });
  });

  describe('tells whether nobody may get it yet', () => {
    const hold = { lease: '4711' };

    it('by the list', async () => {
      await sync(12, kv('a-0-w', 11), kv('hold', 12, hold));
      expect([view.isHeld, order()]).toEqual([true, ['a-0-w']]);
      expect(view.standing(`${PREFIX}hold`)).toBeNull();
      watch.events([remove('a-0-w', 13)]);
      expect(view.isHeld).toBe(true);
      watch.events([remove('hold', 14)]);
      expect(view.isHeld).toBe(false);
      expect(warned).toEqual([]);
    });

    it('by events', async () => {
      await sync(10);
      expect(view.isHeld).toBe(false);
      watch.events([put('hold', 11, hold)]);
      expect(view.isHeld).toBe(true);
      // Put anew by who has it next, before the lease of the last one is over.
      watch.events([put('hold', 12, { created: 11, lease: '4712' })]);
      expect(view.isHeld).toBe(true);
      watch.events([remove('hold', 13)]);
      expect(view.isHeld).toBe(false);
    });

    it('by a new list, when events are lost', async () => {
      await sync(12, kv('hold', 12, hold));
      await resync(20, kv('a-0-w', 15));
      expect([view.isHeld, order()]).toEqual([false, ['a-0-w']]);
    });
  });

  describe('is not misled by events that its list holds already', () => {
    it('and that etcd sends after the list', async () => {
      await sync(13, kv('a-0-w', 11), kv('c-0-w', 13));
      watch.events([put('a-0-w', 11)]);
      watch.events([put('b-0-w', 12)]);
      watch.events([remove('b-0-w', 13), put('c-0-w', 13)]);
      expect(order()).toEqual(['a-0-w', 'c-0-w']);
      // Had it been added again it would stand there for ever, and nobody would get the lock.
      watch.events([remove('a-0-w', 14)]);
      expect(order()).toEqual(['c-0-w']);
      watch.events([remove('c-0-w', 15)]);
      expect(order()).toEqual([]);
    });

    it('and that come with others that it does not hold', async () => {
      await sync(12, kv('a-0-w', 11), kv('b-0-w', 12));
      watch.events([put('a-0-w', 11), put('b-0-w', 12), put('c-0-w', 13)]);
      expect(order()).toEqual(['a-0-w', 'b-0-w', 'c-0-w']);
      watch.events([remove('a-0-w', 14), remove('b-0-w', 15)]);
      expect(order()).toEqual(['c-0-w']);
    });

    it('and that come while the list is on its way', async () => {
      listed = { revision: 12, kvs: [kv('a-0-w', 11), kv('b-0-w', 12)] };
      watch.standing(10n, false, '1');
      watch.events([put('a-0-w', 11), put('b-0-w', 12)]);
      watch.events([put('c-0-w', 13), remove('a-0-w', 14)]);
      await vi.waitUntil(() => view.synced, { interval: 1 });
      expect(order()).toEqual(['b-0-w', 'c-0-w']);
      watch.events([remove('b-0-w', 15), remove('c-0-w', 16)]);
      expect(order()).toEqual([]);
    });

    it('nor by the `hold` that they bring back', async () => {
      await sync(13, kv('a-0-w', 11));
      watch.events([put('hold', 12, { lease: '4711' }), remove('hold', 13)]);
      expect(view.isHeld).toBe(false);
      watch.events([put('hold', 13, { lease: '4711' })]);
      expect(view.isHeld).toBe(false);
    });

    it('and by none twice after a new list', async () => {
      await sync(11, kv('a-0-w', 11));
      await resync(13, kv('a-0-w', 11), kv('b-0-w', 13));
      watch.events([put('b-0-w', 13), put('c-0-w', 14)]);
      expect(order()).toEqual(['a-0-w', 'b-0-w', 'c-0-w']);
      watch.events([remove('b-0-w', 15)]);
      expect(order()).toEqual(['a-0-w', 'c-0-w']);
    });
  });

  describe('says what has changed', () => {
    it('as all at first, and then by key', async () => {
      await sync(11, kv('a-0-w', 11));
      expect(told).toEqual([null]);
      watch.events([put('b-0-w', 12), remove('a-0-w', 13)]);
      watch.events([put('c-0-w', 14)]);
      expect(told).toEqual([null, ['b-0-w', 'a-0-w'], ['c-0-w']]);
    });

    it('as all after a new list, and by key again afterwards', async () => {
      await sync(11, kv('a-0-w', 11));
      await resync(20, kv('b-0-w', 15));
      expect(order()).toEqual(['b-0-w']);
      watch.events([put('c-0-w', 21)]);
      expect(told).toEqual([null, null, ['c-0-w']]);
    });

    it('and when it is refused, for good', async () => {
      await sync(11, kv('a-0-w', 11));
      const refusal = new EtcdPermissionDeniedError('A watch', 'me');
      watch.refused(refusal);
      expect(view.error).toBe(refusal);
      expect(told).toHaveLength(2);
    });
  });

  it('shows nobody before it is synced', () => {
    expect([view.synced, view.isHeld, view.entries]).toEqual([false, false, []]);
    expect(told).toEqual([]);
  });

  /** The events in between cannot be told any more. */
  async function resync(revision: number, ...kvs: IKeyValue[]): Promise<void> {
    watch.compacted(BigInt(revision - 1));
    listed = { revision, kvs };
    watch.standing(BigInt(revision), false, '1');
    await vi.waitUntil(() => view.revision === BigInt(revision), { interval: 1 });
  }
});

interface KeyState {
  readonly created?: number;
  readonly lease?: string;
}

/** A key on the lease that it is named for, unless told otherwise. */
function kv(segment: string, revision: number, { created, lease }: KeyState = {}): IKeyValue {
  const [own] = segment.split('-');
  return {
    key: Buffer.from(PREFIX + segment),
    value: Buffer.from('{"id":"me"}'),
    create_revision: `${created ?? revision}`,
    mod_revision: `${revision}`,
    version: created === undefined ? '1' : '2',
    lease: lease ?? (/^[0-9a-f]+$/.test(own!) ? BigInt(`0x${own}`).toString() : '0'),
  };
}

function put(segment: string, revision: number, state?: KeyState): IEvent {
  return { type: 'Put', kv: kv(segment, revision, state) } as unknown as IEvent;
}

function remove(segment: string, revision: number): IEvent {
  return { type: 'Delete', kv: kv(segment, revision) } as unknown as IEvent;
}
