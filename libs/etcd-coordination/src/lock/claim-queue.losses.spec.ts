import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeKv } from '../../../../test/support/fake-kv.js';
import { settle } from '../../../../test/support/virtual-clock.js';
import { EtcdPermissionDeniedError } from '../client/etcd.errors.js';
import {
  LockQueueStage,
  PREFIX,
  type QueueProcess,
  until,
} from '../../../../test/support/lock-queue-stage.js';

describe('the queue of a lock and what becomes of its keys', () => {
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

  describe('is lost', () => {
    it('by all at once when the lease ends, and nothing is asked of etcd any more', async () => {
      const claims = [await me.enter(), await me.enter()];
      const before = stage.asked().length;
      me.lease.end('expired');
      expect(me.heard).toEqual(['granted 0', 'lost 0: session-lost', 'lost 1: session-lost']);
      expect(await me.queue.withdraw(claims[0]!)).toBe(false);
      expect(stage.asked()).toHaveLength(before);
      expect(me.claim().slot).toBe(0);
    });

    it('when etcd no longer knows the lease', async () => {
      kv.goneLeases.add('31');
      const claim = await me.enter();
      expect([claim.state, me.lease.isValid()]).toEqual(['over', false]);
      expect(me.heard).toEqual(['lost 0: session-lost']);
    });

    it('when somebody deletes the key, and the view tells', async () => {
      await me.enter();
      const next = await me.enter();
      await me.observe();
      kv.delete(`${PREFIX}1f-0-w`);
      expect(me.heard).toEqual(['granted 0', 'lost 0: key-deleted', 'granted 1']);
      expect(next.state).toBe('granted');
    });

    it('when somebody puts over the key, off its lease; it does not stay behind', async () => {
      await me.enter();
      await me.observe();
      kv.put(`${PREFIX}1f-0-w`, 'mine');
      expect(me.heard).toEqual(['granted 0', 'lost 0: key-deleted']);
      await until(() => Object.keys(stage.standing()).length === 0);
    });

    it('when it was deleted and put again before the view told', async () => {
      const claim = await me.enter();
      await me.observe();
      kv.lags = true;
      kv.delete(claim.key);
      kv.put(claim.key, '{"id":"me"}', '31');
      kv.tell();
      expect(me.heard).toEqual(['granted 0', 'lost 0: key-deleted']);
      expect(Object.keys(stage.standing())).toEqual(['1f-0-w']);
    });

    it('when the database is one from before it was there', async () => {
      const theirs = await other.enter();
      const backup = new Map(kv.kvs);
      await me.enter();
      await me.observe();
      kv.restore('2', 11, backup);
      await until(() => me.heard.length > 0);
      expect(me.heard).toEqual(['lost 0: key-deleted']);
      expect(theirs.state).toBe('granted');
    });

    it('when etcd refuses to show it; who follows it later asks anew', async () => {
      const claim = await me.enter();
      await me.observe();
      kv.refuse(new EtcdPermissionDeniedError('A watch', 'me'));
      expect(me.heard).toEqual(['granted 0', 'lost 0: refused']);
      await until(() => Object.keys(stage.standing()).length === 0);
      await me.observe();
      expect(me.queue.mayOthersWait(claim)).toBe(false);
    });

    it('when it is closed; its keys go with the lease', async () => {
      await me.enter();
      me.queue.close();
      expect(me.heard).toEqual(['granted 0', 'lost 0: shutdown']);
    });
  });

  describe('in which nobody’s key stands first', () => {
    beforeEach(() => {
      kv.put(`${PREFIX}5-0-w`, 'over it');
    });

    it('is rid of it by the first behind it', async () => {
      const claim = await me.enter();
      expect(claim.state).toBe('waiting');
      await me.observe();
      await until(() => claim.state === 'granted');
      expect(Object.keys(stage.standing())).toEqual(['1f-0-w']);
      expect(stage.asked().filter(([what]) => what === 'delete 5-0-w')).toHaveLength(1);
      expect(warned[0]).toMatch(`The key ${PREFIX}5-0-w was put over by somebody`);
    });

    it('tries again in a second if it cannot delete it, and not at each change', async () => {
      const claim = await me.enter();
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      kv.fates.push('dropped');
      const deletions = () => stage.asked().filter(([what]) => what === 'delete 5-0-w').length;
      me.queue.observe();
      await settle();
      kv.put(`${PREFIX}6-0-w`, '');
      await settle();
      expect([deletions(), warned.length]).toEqual([1, 2]);
      await vi.advanceTimersByTimeAsync(999);
      expect(deletions()).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      await settle();
      expect([deletions(), claim.state]).toEqual([2, 'granted']);
    });

    it('leaves that to those who stand in it', async () => {
      await other.enter();
      await me.observe();
      expect(Object.keys(stage.standing())).toEqual(['5-0-w', '2f-0-w']);
      expect(stage.asked().flat().join()).not.toContain('delete');
    });
  });
});
