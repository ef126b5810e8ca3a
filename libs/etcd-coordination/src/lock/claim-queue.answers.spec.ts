import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeKv } from '../../../../test/support/fake-kv.js';
import {
  EtcdPermissionDeniedError,
  EtcdTimeoutError,
  EtcdUnavailableError,
} from '../client/etcd.errors.js';
import {
  LockQueueStage,
  type QueueProcess,
  until,
} from '../../../../test/support/lock-queue-stage.js';

describe('the queue of a lock and answers of etcd', () => {
  let stage: LockQueueStage;
  let kv: FakeKv;
  let me: QueueProcess;
  let other: QueueProcess;
  let warned: string[];

  beforeEach(() => {
    stage = new LockQueueStage();
    ({ kv, me, other, warned } = stage);
  });
  afterEach(() => stage.close());

  describe('whose answer is lost', () => {
    it('asks the gate what came of it, and does not enter twice', async () => {
      kv.fates.push('lost');
      const claim = await me.enter();
      expect(stage.asked()).toEqual([['put 1f-0-w'], ['put gate/1f']]);
      // That of the key, not that of the gate.
      expect(claim).toMatchObject({ state: 'granted', revision: 11n, mayStand: false });
      expect(me.heard).toEqual(['granted 0']);
    });

    it('enters again if nothing came of it, behind those who came meanwhile', async () => {
      kv.fates.push('dropped');
      const entering = me.enter();
      await other.enter();
      expect(await entering).toMatchObject({ state: 'waiting' });
      expect(stage.asked().filter(([what]) => what!.includes('1f'))).toEqual([
        ['put 1f-0-w'],
        ['put gate/1f'],
        ['put 1f-0-w'],
      ]);
    });

    it('asks the gate until it is answered, and enters no second time before', async () => {
      kv.fates.push('dropped', 'dropped', new EtcdUnavailableError('KV.txn', 'away'), 'lost');
      await me.enter();
      const gates = Array.from({ length: 4 }, () => ['put gate/1f']);
      expect(stage.asked()).toEqual([['put 1f-0-w'], ...gates, ['put 1f-0-w']]);
      expect(stage.standing()).toEqual({ '1f-0-w': 13 });
    });

    it('shuts out what was sent and comes late, when its slot is free again', async () => {
      kv.fates.push('late');
      const claim = await me.enter();
      expect(stage.asked()).toHaveLength(3);
      await me.queue.withdraw(claim);
      kv.deliver();
      expect(stage.standing()).toEqual({});
    });

    it('shuts it out when it was given up meanwhile', async () => {
      kv.fates.push('late');
      const claim = me.claim();
      const entering = me.queue.enter(claim);
      expect(await me.queue.withdraw(claim)).toBe(false);
      await entering;
      kv.deliver();
      expect(stage.standing()).toEqual({});
      expect(stage.asked()).toEqual([['put 1f-0-w'], ['put gate/1f']]);
      expect([me.heard, me.claim().slot]).toEqual([[], 0]);
    });

    it('deletes what came to stand when it was given up meanwhile', async () => {
      kv.fates.push('lost');
      const claim = me.claim();
      const entering = me.queue.enter(claim);
      expect(await me.queue.withdraw(claim)).toBe(true);
      await entering;
      expect(stage.standing()).toEqual({});
      expect(me.heard).toEqual([]);
    });

    it('lets others of this process through the gate, and those on the next lease', async () => {
      kv.fates.push('lost');
      await me.enter();
      const before = stage.asked().length;
      await me.enter();
      me.newLease('63');
      await me.enter();
      expect(Object.keys(stage.standing())).toEqual(['1f-0-w', '1f-1-w', '3f-2-w']);
      expect(stage.asked().slice(before).flat().join()).not.toContain('gate');
    });

    it('of a deletion, deletes again, and knows that it was its own', async () => {
      const claim = await me.enter();
      kv.fates.push('lost');
      expect(await me.queue.withdraw(claim)).toBe(true);
      expect(stage.asked()).toEqual([['put 1f-0-w'], ['delete 1f-0-w'], ['delete 1f-0-w']]);
    });
  });

  describe('is entered if it is free', () => {
    it('by one transaction', async () => {
      const claim = me.claim();
      expect(await me.queue.enterIfFree(claim)).toBeNull();
      expect(claim).toMatchObject({ state: 'granted', revision: 11n });
      expect(stage.asked()).toEqual([['put 1f-0-w']]);
    });

    it.each([false, true])('and otherwise leaves nothing, and tells who is there', async (keep) => {
      await other.enter({ keep });
      const claim = me.claim();
      const found = await me.queue.enterIfFree(claim);
      expect(found).toEqual({ holder: 'other', mayYield: keep });
      expect(claim.state).toBe('over');
      await until(() => me.queue.isUnused);
      expect(stage.standing()).toEqual({ '2f-0-w': 11 });
      expect(me.heard).toEqual([]);
    });

    it('once, whatever becomes of the answer', async () => {
      kv.fates.push('lost');
      const claim = me.claim();
      expect(await me.queue.enterIfFree(claim)).toBeNull();
      expect(claim).toMatchObject({ state: 'granted', revision: 11n });
      expect(stage.asked()).toEqual([['put 1f-0-w'], ['put gate/1f']]);
    });

    it('three times at most, and leaves nothing that could come late', async () => {
      const away = new EtcdTimeoutError('KV.txn', 1000);
      kv.fates.push('late', away, away, away);
      const claim = me.claim();
      await expect(me.queue.enterIfFree(claim)).rejects.toBe(away);
      await until(() => me.queue.isUnused);
      kv.deliver();
      expect([claim.state, stage.standing()]).toEqual(['over', {}]);
    });
  });

  describe('is entered anew at its end', () => {
    it('in the transaction that lets go of the lock', async () => {
      const first = await me.enter();
      await other.enter();
      const next = me.claim();
      await me.queue.enter(next, first);
      expect([first.state, next.state, next.behind?.id]).toEqual(['over', 'waiting', 'other']);
      expect(stage.asked().at(-1)).toEqual(['delete 1f-0-w', 'put 1f-1-w']);
      expect(stage.standing()).toEqual({ '2f-0-w': 12, '1f-1-w': 13 });
      expect(me.claim().slot).toBe(0);
      expect(me.heard).toEqual(['granted 0']);
    });

    it.each(['lost', 'dropped'] as const)('though its answer was lost (%s)', async (fate) => {
      const first = await me.enter();
      await me.observe();
      kv.fates.push(fate);
      const next = me.claim();
      await me.queue.enter(next, first);
      await until(() => next.state === 'granted');
      expect(Object.keys(stage.standing())).toEqual(['1f-1-w']);
      await until(() => me.claim().slot === 0);
    });

    it('though somebody has deleted the key that it leaves', async () => {
      const first = await me.enter();
      kv.delete(first.key);
      const next = me.claim();
      await me.queue.enter(next, first);
      expect(next.state).toBe('granted');
      expect(Object.keys(stage.standing())).toEqual(['1f-1-w']);
    });

    it('and lets go of the lock even if it cannot enter', async () => {
      const first = await me.enter();
      kv.fates.push(new EtcdPermissionDeniedError('KV.txn', 'me'));
      const next = me.claim();
      await expect(me.queue.enter(next, first)).rejects.toThrow('no permission');
      await until(() => me.queue.isUnused);
      expect([first.state, next.state, stage.standing()]).toEqual(['over', 'over', {}]);
    });
  });

  describe('that etcd refuses', () => {
    const refusal = new EtcdPermissionDeniedError('KV.txn', 'me');

    it('fails who enters, and tells no loss', async () => {
      kv.fates.push(refusal);
      const claim = me.claim();
      await expect(me.queue.enter(claim)).rejects.toBe(refusal);
      expect(claim.state).toBe('over');
      await until(() => me.queue.isUnused);
      expect(me.heard).toEqual([]);
    });

    it('is tried again while etcd is only away', async () => {
      const away = new EtcdUnavailableError('KV.txn', 'nothing listens');
      kv.fates.push(away, away, away, away);
      expect(await me.enter()).toMatchObject({ state: 'granted' });
      expect(stage.asked()).toHaveLength(5);
      expect(warned).toHaveLength(1);
      expect(warned[0]).toMatch('The lock "l" cannot be asked for yet');
    });
  });
});
