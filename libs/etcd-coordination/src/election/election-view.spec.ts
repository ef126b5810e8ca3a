import type { IEvent, IKeyValue } from 'etcd3';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import type { RangeWatchHandlers } from '../watch/range-watch.js';
import type { WatchHub } from '../watch/watch-hub.js';
import { encodeRecord } from './candidate-record.js';
import { ElectionView } from './election-view.js';

describe('the view of an election', () => {
  let view: ElectionView;
  let watch: RangeWatchHandlers;
  let listed: { revision: number; kvs: IKeyValue[] };
  let changes: number;

  beforeEach(() => {
    listed = { revision: 10, kvs: [] };
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
    view = new ElectionView(client as unknown as EtcdClient, hub as unknown as WatchHub, 'ns', 'e');
    changes = 0;
    view.subscribe(() => (changes += 1));
  });

  /** Lists, and is told everything after that by the watch. */
  async function sync(revision: number, ...kvs: IKeyValue[]): Promise<void> {
    listed = { revision, kvs };
    watch.standing(BigInt(revision), false, '1');
    await view.ready();
  }

  it('names the one that came first, when two candidates come in one response', async () => {
    await sync(10);
    watch.events([put('f', 12, 'second'), put('1', 13, 'third')]);
    watch.events([put('9', 14, 'fourth')]);
    expect(view.leader()).toMatchObject({ leaderId: 'second', epoch: 12n });
    expect(changes).toBe(3);
  });

  it('orders revisions as numbers', async () => {
    await sync(1000, key('a', 1000, 'later'), key('b', 999, 'earlier'));
    expect(view.leader()).toMatchObject({ leaderId: 'earlier' });
  });

  it('lets one of two lead that came in one transaction', async () => {
    await sync(12, key('b', 12, 'b'), key('a', 12, 'a'));
    expect(view.standing(path('a'), 12n, 0)).toBe('first');
    expect(view.standing(path('b'), 12n, 0)).toBe('waiting');
    expect(view.leader()).toMatchObject({ leaderId: 'a' });
  });

  it('does not call a key gone that it has not come to yet', async () => {
    expect(view.standing(path('a'), 11n, 0)).toBe('unknown');
    await sync(10);
    expect(view.standing(path('a'), 11n, 0)).toBe('unknown');
    watch.events([put('a', 11, 'a')]);
    expect(view.standing(path('a'), 11n, 0)).toBe('first');
    watch.events([remove('a', 12)]);
    expect(view.standing(path('a'), 11n, 0)).toBe('gone');
  });

  it('calls a key gone that was put anew at another revision', async () => {
    await sync(11, key('a', 11, 'a'));
    watch.events([remove('a', 12), put('a', 13, 'somebody else')]);
    expect(view.standing(path('a'), 11n, 0)).toBe('gone');
  });

  it('calls a key gone that a restored database does not have, though it is behind', async () => {
    await sync(20, key('a', 20, 'a'));
    expect(view.standing(path('a'), 20n, 0)).toBe('first');
    listed = { revision: 15, kvs: [] };
    watch.standing(15n, true, '1');
    await expect.poll(() => changes).toBe(1);
    // It lists anew once the watch stands.
    watch.standing(15n, false, '1');
    await expect.poll(() => view.standing(path('a'), 20n, 0)).toBe('gone');
    expect(view.leader()).toBeNull();
    expect(view.era).toBe(1);
    // The same candidate, come back: its revision is an older number, and yet to be told.
    expect(view.standing(path('b'), 16n, 1)).toBe('unknown');
    watch.events([put('b', 16, 'b')]);
    expect(view.standing(path('b'), 16n, 1)).toBe('first');
  });

  it('keeps the place of a key that a restored database has', async () => {
    await sync(20, key('a', 12, 'a'));
    listed = { revision: 15, kvs: [key('a', 12, 'a')] };
    watch.standing(15n, true, '1');
    await expect.poll(() => changes).toBe(1);
    watch.standing(15n, false, '1');
    await expect.poll(() => view.era).toBe(1);
    expect(view.standing(path('a'), 12n, 0)).toBe('first');
  });

  it('tells those who still wait for it that it was closed', async () => {
    const ready = view.ready();
    view.close();
    await expect(ready).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
  });

  it('counts a candidate whose record was overwritten as an unknown one', async () => {
    await sync(11, { ...key('a', 11, ''), value: Buffer.from('not a record') });
    expect(view.leader()).toMatchObject({ leaderId: '', value: '' });
  });

  it('lets nobody lead over a key that was put over, and names who is to delete it', async () => {
    const byHand = { ...key('a', 9, ''), key: Buffer.from('ns/election/e/README') };
    const strange = { ...key('b', 10, 'touched'), lease: '0' };
    await sync(12, byHand, strange, key('c', 11, 'c'));
    expect(view.leader()).toBeNull();
    expect(view.standing(path('b'), 10n, 0)).toBe('gone');
    expect(view.standing(path('c'), 11n, 0)).toBe('waiting');
    expect(view.orphanAhead(path('c'))).toBe(strange);
    watch.events([remove('b', 13)]);
    expect(view.leader()).toMatchObject({ leaderId: 'c' });
    expect(view.orphanAhead(path('c'))).toBeNull();
  });
});

function path(name: string): string {
  return `ns/election/e/${name}-0`;
}

function key(name: string, revision: number, id: string): IKeyValue {
  return {
    key: Buffer.from(path(name)),
    value: encodeRecord({ id, value: '', mark: '' }),
    create_revision: `${revision}`,
    mod_revision: `${revision}`,
    version: '1',
    lease: BigInt(`0x${name}`).toString(),
  };
}

function put(name: string, revision: number, id: string): IEvent {
  return { type: 'Put', kv: key(name, revision, id) } as unknown as IEvent;
}

function remove(name: string, revision: number): IEvent {
  return { type: 'Delete', kv: key(name, revision, '') } as unknown as IEvent;
}
