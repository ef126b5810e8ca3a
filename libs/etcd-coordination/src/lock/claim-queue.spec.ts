import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeKv } from '../../../../test/support/fake-kv.js';
import { settle } from '../../../../test/support/virtual-clock.js';
import type { QueueKind } from './queue-ground.js';
import { permitsRule } from './queue-entry.js';
import { SemaphorePermitsError } from './lock.errors.js';
import {
  LOCK,
  LockQueueStage,
  PREFIX,
  QueueProcess,
} from '../../../../test/support/lock-queue-stage.js';

/** How long a watch stays after its last use, in milliseconds. */
const LINGER_MS = 10_000;

describe('the queue of a lock', () => {
  let stage: LockQueueStage;
  let kv: FakeKv;
  let me: QueueProcess;
  let other: QueueProcess;

  beforeEach(() => {
    stage = new LockQueueStage();
    ({ kv, me, other } = stage);
  });
  afterEach(() => stage.close());

  describe('is entered', () => {
    it('by one transaction, which grants what is free, and left by another', async () => {
      const claim = await me.enter();
      expect(claim).toMatchObject({ state: 'granted', revision: 11n, key: `${PREFIX}1f-0-w` });
      expect(stage.standing()).toEqual({ '1f-0-w': 11 });
      expect(await me.queue.withdraw(claim)).toBe(true);
      expect(stage.standing()).toEqual({});
      expect(stage.asked()).toEqual([['put 1f-0-w'], ['delete 1f-0-w']]);
      expect(me.heard).toEqual(['granted 0']);
    });

    it('behind those who came before, and granted when these have left', async () => {
      const first = await other.enter();
      const claim = await me.enter();
      expect(claim).toMatchObject({ state: 'waiting', behind: { id: 'other' } });
      await me.observe();
      expect(claim.state).toBe('waiting');
      await other.queue.withdraw(first);
      expect(claim.state).toBe('granted');
      expect(me.heard).toEqual(['granted 0']);
    });

    it('by readers together, but not past a writer', async () => {
      const readers = [await me.enter({ shared: true }), await other.enter({ shared: true })];
      const writer = await me.enter();
      const late = await other.enter({ shared: true });
      const states = () => [...readers, writer, late].map(({ state }) => state);
      expect(states()).toEqual(['granted', 'granted', 'waiting', 'waiting']);
      await me.observe();
      await other.observe();
      expect(states()).toEqual(['granted', 'granted', 'waiting', 'waiting']);
      await me.queue.withdraw(readers[0]!);
      await other.queue.withdraw(readers[1]!);
      expect(states()).toEqual(['over', 'over', 'granted', 'waiting']);
      await me.queue.withdraw(writer);
      expect(states()).toEqual(['over', 'over', 'over', 'granted']);
    });

    it('by a reader behind a writer, though its key sorts before', async () => {
      await other.enter();
      const reader = await me.enter({ shared: true });
      expect(`${PREFIX}2f-0-w` > reader.key).toBe(true);
      expect(reader.state).toBe('waiting');
    });

    it.each([false, true])('in vain while it is held, and granted then (%j)', async (shared) => {
      kv.put(`${PREFIX}hold`, 'x');
      const claim = await me.enter({ shared });
      expect(claim.state).toBe('waiting');
      await me.observe();
      expect(claim.state).toBe('waiting');
      kv.delete(`${PREFIX}hold`);
      expect(claim.state).toBe('granted');
    });
  });

  describe('has slots', () => {
    it('of which each claim gets the lowest that is free', async () => {
      const claims = [await me.enter(), await me.enter(), await me.enter()];
      expect(claims.map(({ slot }) => slot)).toEqual([0, 1, 2]);
      await me.queue.withdraw(claims[1]!);
      expect([me.claim().slot, me.claim().slot]).toEqual([1, 3]);
    });

    it('that are taken until the key is gone from etcd', async () => {
      const first = await me.enter();
      const leaving = me.queue.withdraw(first);
      expect([first.state, me.claim().slot]).toEqual(['over', 1]);
      await leaving;
      expect(me.claim().slot).toBe(0);
    });

    it('used again while the view lags, are not granted by what stood under the key before', async () => {
      const first = await me.enter();
      await me.observe();
      kv.lags = true;
      await me.queue.withdraw(first);
      const theirs = await other.enter();
      const again = await me.enter();
      expect([again.key, theirs.state, again.state]).toEqual([first.key, 'granted', 'waiting']);
      // It shows still, as the first in the queue, what is gone.
      kv.put('ns/other', '');
      await me.queue.enter(me.claim());
      expect(again.state).toBe('waiting');
      // And then nothing under that key: it has not come to the new one.
      kv.tell(1);
      expect(again.state).toBe('waiting');
      kv.tell();
      expect(again.state).toBe('waiting');
      await other.queue.withdraw(theirs);
      kv.tell();
      expect(again.state).toBe('granted');
      expect(me.heard).toEqual(['granted 0', 'granted 0']);
    });
  });

  describe('knows of others', () => {
    it('what the view shows, and nothing for certain without one', async () => {
      const claim = await me.enter();
      expect([me.queue.mayOthersWait(claim), me.queue.seesOthers(claim)]).toEqual([true, false]);
      expect(me.queue.holder).toBeNull();
      await me.observe();
      expect([me.queue.mayOthersWait(claim), me.queue.seesOthers(claim)]).toEqual([false, false]);
      expect(me.queue.holder).toBe('me');
      await other.enter();
      expect([me.queue.mayOthersWait(claim), me.queue.seesOthers(claim)]).toEqual([true, true]);
    });

    it('and has nobody see after its claims while nobody follows it', async () => {
      const claim = await me.enter();
      expect([...me.queue.unobserved]).toEqual([claim]);
      await me.observe();
      expect([...me.queue.unobserved]).toEqual([]);
    });
  });

  it('is followed for a while after its last use, and that is over when it is used again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const claim = me.claim();
    const isFollowed = () => !me.queue.mayOthersWait(claim);
    me.queue.observe();
    me.queue.observe();
    await settle();
    me.queue.unobserve();
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(isFollowed()).toBe(true);
    me.queue.unobserve();
    await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
    me.queue.observe();
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(isFollowed()).toBe(true);
    me.queue.unobserve();
    const before = me.changes;
    await vi.advanceTimersByTimeAsync(LINGER_MS);
    expect(isFollowed()).toBe(false);
    expect(me.changes).toBe(before + 1);
  });

  describe('with a condition', () => {
    const compare = {
      ...({ target: 'Value', result: 'Equal' } as const),
      ...{ key: Buffer.from('ns/permits'), value: Buffer.from('2') },
    };
    let established: number;
    let kind: QueueKind;

    beforeEach(() => {
      established = 0;
      const establish = async () => {
        established += 1;
        const found = kv.kvs.get('ns/permits')?.value.toString() ?? '2';
        if (found !== '2') throw new SemaphorePermitsError('l', 2, Number(found), 'ns/permits');
        kv.put('ns/permits', '2');
      };
      kind = { ...LOCK, rule: permitsRule(2), condition: { permits: 2, compare, establish } };
      me = stage.me = new QueueProcess(kv, 'me', '31', kind);
    });

    it('sees to it once, and again when an entry was refused', async () => {
      const claims = [await me.enter(), await me.enter(), await me.enter()];
      expect(claims.map(({ state }) => state)).toEqual(['granted', 'granted', 'waiting']);
      expect(established).toBe(1);
      kv.delete('ns/permits');
      await me.enter();
      expect(established).toBe(2);
    });

    it('fails who enters when it cannot be met, and leaves nothing', async () => {
      await me.enter();
      kv.put('ns/permits', '3');
      const claim = me.claim();
      await expect(me.queue.enter(claim)).rejects.toMatchObject({ code: 'SEMAPHORE_PERMITS' });
      expect([claim.state, Object.keys(stage.standing())]).toEqual(['over', ['1f-0-w']]);
    });
  });
});
