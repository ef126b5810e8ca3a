import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeKv } from '../../../../test/support/fake-kv.js';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import {
  EtcdPermissionDeniedError,
  EtcdTimeoutError,
  EtcdUnavailableError,
} from '../client/etcd.errors.js';
import { lockQueuePrefix } from '../client/keys.js';
import { TxnMerger } from '../client/txn-merger.js';
import type { EtcdSession } from '../session/etcd-session.js';
import { SessionLease } from '../session/session-lease.js';
import type { Claim } from './claim.js';
import { ClaimQueue } from './claim-queue.js';
import type { QueueKind } from './queue-ground.js';
import { lockRule, permitsRule } from './queue-entry.js';
import { SemaphorePermitsError } from './lock.errors.js';

const PREFIX = lockQueuePrefix('ns', 'l');
const LOCK: QueueKind = { name: 'l', prefix: PREFIX, rule: lockRule };

/** How long a watch stays after its last use, in milliseconds. */
const LINGER_MS = 10_000;

let kv: FakeKv;

/** One process and its claims in the queue. */
class Process {
  lease: SessionLease;
  readonly queue: ClaimQueue;
  /** What its claims were told, by their slots. */
  readonly heard: string[] = [];
  changes = 0;

  constructor(
    readonly id: string,
    leaseId: string,
    kind: QueueKind = LOCK,
  ) {
    this.lease = this.newLease(leaseId);
    const { client, hub } = kv;
    const session = { reportGone: (lease: SessionLease) => lease.end('gone') };
    const ground = {
      ...{ client, merger: new TxnMerger(client, () => 1000), watch: hub },
      ...{ session: session as unknown as EtcdSession, namespace: 'ns', instanceId: id },
    };
    this.queue = new ClaimQueue(ground, kind, () => (this.changes += 1));
  }

  newLease(id: string): SessionLease {
    return (this.lease = new SessionLease(id, 60_000, 0, new VirtualClock(0), () => undefined));
  }

  claim(options?: { shared?: boolean; keep?: boolean }): Claim {
    const claim: Claim = this.queue.claim(
      this.lease,
      {
        granted: () => this.heard.push(`granted ${claim.slot}`),
        lost: (reason) => this.heard.push(`lost ${claim.slot}: ${reason}`),
      },
      options,
    );
    return claim;
  }

  async enter(options?: { shared?: boolean; keep?: boolean }): Promise<Claim> {
    const claim = this.claim(options);
    await this.queue.enter(claim);
    return claim;
  }

  /** Follows the queue, and has seen it. */
  async observe(): Promise<void> {
    const before = this.changes;
    this.queue.observe();
    await until(() => this.changes > before);
  }
}

describe('the queue of a lock', () => {
  let me: Process;
  let other: Process;
  let warned: string[];

  beforeEach(() => {
    kv = new FakeKv();
    warned = [];
    vi.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => {
      warned.push(line);
    });
    // No pauses between attempts.
    vi.spyOn(Math, 'random').mockReturnValue(0);
    me = new Process('me', '31');
    other = new Process('other', '47');
  });
  afterEach(() => {
    me.queue.close();
    other.queue.close();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  describe('is entered', () => {
    it('by one transaction, which grants what is free, and left by another', async () => {
      const claim = await me.enter();
      expect(claim).toMatchObject({ state: 'granted', revision: 11n, key: `${PREFIX}1f-0-w` });
      expect(standing()).toEqual({ '1f-0-w': 11 });
      expect(await me.queue.withdraw(claim)).toBe(true);
      expect(standing()).toEqual({});
      expect(asked()).toEqual([['put 1f-0-w'], ['delete 1f-0-w']]);
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

  describe('whose answer is lost', () => {
    it('asks the gate what came of it, and does not enter twice', async () => {
      kv.fates.push('lost');
      const claim = await me.enter();
      expect(asked()).toEqual([['put 1f-0-w'], ['put gate/1f']]);
      // That of the key, not that of the gate.
      expect(claim).toMatchObject({ state: 'granted', revision: 11n, mayStand: false });
      expect(me.heard).toEqual(['granted 0']);
    });

    it('enters again if nothing came of it, behind those who came meanwhile', async () => {
      kv.fates.push('dropped');
      const entering = me.enter();
      await other.enter();
      expect(await entering).toMatchObject({ state: 'waiting' });
      expect(asked().filter(([what]) => what!.includes('1f'))).toEqual([
        ['put 1f-0-w'],
        ['put gate/1f'],
        ['put 1f-0-w'],
      ]);
    });

    it('asks the gate until it is answered, and enters no second time before', async () => {
      kv.fates.push('dropped', 'dropped', new EtcdUnavailableError('KV.txn', 'away'), 'lost');
      await me.enter();
      const gates = Array.from({ length: 4 }, () => ['put gate/1f']);
      expect(asked()).toEqual([['put 1f-0-w'], ...gates, ['put 1f-0-w']]);
      expect(standing()).toEqual({ '1f-0-w': 13 });
    });

    it('shuts out what was sent and comes late, when its slot is free again', async () => {
      kv.fates.push('late');
      const claim = await me.enter();
      expect(asked()).toHaveLength(3);
      await me.queue.withdraw(claim);
      kv.deliver();
      expect(standing()).toEqual({});
    });

    it('shuts it out when it was given up meanwhile', async () => {
      kv.fates.push('late');
      const claim = me.claim();
      const entering = me.queue.enter(claim);
      expect(await me.queue.withdraw(claim)).toBe(false);
      await entering;
      kv.deliver();
      expect(standing()).toEqual({});
      expect(asked()).toEqual([['put 1f-0-w'], ['put gate/1f']]);
      expect([me.heard, me.claim().slot]).toEqual([[], 0]);
    });

    it('deletes what came to stand when it was given up meanwhile', async () => {
      kv.fates.push('lost');
      const claim = me.claim();
      const entering = me.queue.enter(claim);
      expect(await me.queue.withdraw(claim)).toBe(true);
      await entering;
      expect(standing()).toEqual({});
      expect(me.heard).toEqual([]);
    });

    it('lets others of this process through the gate, and those on the next lease', async () => {
      kv.fates.push('lost');
      await me.enter();
      const before = asked().length;
      await me.enter();
      me.newLease('63');
      await me.enter();
      expect(Object.keys(standing())).toEqual(['1f-0-w', '1f-1-w', '3f-2-w']);
      expect(asked().slice(before).flat().join()).not.toContain('gate');
    });

    it('of a deletion, deletes again, and knows that it was its own', async () => {
      const claim = await me.enter();
      kv.fates.push('lost');
      expect(await me.queue.withdraw(claim)).toBe(true);
      expect(asked()).toEqual([['put 1f-0-w'], ['delete 1f-0-w'], ['delete 1f-0-w']]);
    });
  });

  describe('is entered if it is free', () => {
    it('by one transaction', async () => {
      const claim = me.claim();
      expect(await me.queue.enterIfFree(claim)).toBeNull();
      expect(claim).toMatchObject({ state: 'granted', revision: 11n });
      expect(asked()).toEqual([['put 1f-0-w']]);
    });

    it.each([false, true])('and otherwise leaves nothing, and tells who is there', async (keep) => {
      await other.enter({ keep });
      const claim = me.claim();
      const found = await me.queue.enterIfFree(claim);
      expect(found).toEqual({ holder: 'other', mayYield: keep });
      expect(claim.state).toBe('over');
      await until(() => me.queue.isUnused);
      expect(standing()).toEqual({ '2f-0-w': 11 });
      expect(me.heard).toEqual([]);
    });

    it('once, whatever becomes of the answer', async () => {
      kv.fates.push('lost');
      const claim = me.claim();
      expect(await me.queue.enterIfFree(claim)).toBeNull();
      expect(claim).toMatchObject({ state: 'granted', revision: 11n });
      expect(asked()).toEqual([['put 1f-0-w'], ['put gate/1f']]);
    });

    it('three times at most, and leaves nothing that could come late', async () => {
      const away = new EtcdTimeoutError('KV.txn', 1000);
      kv.fates.push('late', away, away, away);
      const claim = me.claim();
      await expect(me.queue.enterIfFree(claim)).rejects.toBe(away);
      await until(() => me.queue.isUnused);
      kv.deliver();
      expect([claim.state, standing()]).toEqual(['over', {}]);
    });
  });

  describe('is entered anew at its end', () => {
    it('in the transaction that lets go of the lock', async () => {
      const first = await me.enter();
      await other.enter();
      const next = me.claim();
      await me.queue.enter(next, first);
      expect([first.state, next.state, next.behind?.id]).toEqual(['over', 'waiting', 'other']);
      expect(asked().at(-1)).toEqual(['delete 1f-0-w', 'put 1f-1-w']);
      expect(standing()).toEqual({ '2f-0-w': 12, '1f-1-w': 13 });
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
      expect(Object.keys(standing())).toEqual(['1f-1-w']);
      await until(() => me.claim().slot === 0);
    });

    it('though somebody has deleted the key that it leaves', async () => {
      const first = await me.enter();
      kv.delete(first.key);
      const next = me.claim();
      await me.queue.enter(next, first);
      expect(next.state).toBe('granted');
      expect(Object.keys(standing())).toEqual(['1f-1-w']);
    });

    it('and lets go of the lock even if it cannot enter', async () => {
      const first = await me.enter();
      kv.fates.push(new EtcdPermissionDeniedError('KV.txn', 'me'));
      const next = me.claim();
      await expect(me.queue.enter(next, first)).rejects.toThrow('no permission');
      await until(() => me.queue.isUnused);
      expect([first.state, next.state, standing()]).toEqual(['over', 'over', {}]);
    });
  });

  describe('is lost', () => {
    it('by all at once when the lease ends, and nothing is asked of etcd any more', async () => {
      const claims = [await me.enter(), await me.enter()];
      const before = asked().length;
      me.lease.end('expired');
      expect(me.heard).toEqual(['granted 0', 'lost 0: session-lost', 'lost 1: session-lost']);
      expect(await me.queue.withdraw(claims[0]!)).toBe(false);
      expect(asked()).toHaveLength(before);
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
      await until(() => Object.keys(standing()).length === 0);
    });

    it('when it was deleted and put again before the view told', async () => {
      const claim = await me.enter();
      await me.observe();
      kv.lags = true;
      kv.delete(claim.key);
      kv.put(claim.key, '{"id":"me"}', '31');
      kv.tell();
      expect(me.heard).toEqual(['granted 0', 'lost 0: key-deleted']);
      expect(Object.keys(standing())).toEqual(['1f-0-w']);
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
      await until(() => Object.keys(standing()).length === 0);
      await me.observe();
      expect(me.queue.mayOthersWait(claim)).toBe(false);
    });

    it('when it is closed; its keys go with the lease', async () => {
      await me.enter();
      me.queue.close();
      expect(me.heard).toEqual(['granted 0', 'lost 0: shutdown']);
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
      expect(asked()).toHaveLength(5);
      expect(warned).toHaveLength(1);
      expect(warned[0]).toMatch('The lock "l" cannot be asked for yet');
    });
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
      me = new Process('me', '31', kind);
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
      expect([claim.state, Object.keys(standing())]).toEqual(['over', ['1f-0-w']]);
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
      expect(Object.keys(standing())).toEqual(['1f-0-w']);
      expect(asked().filter(([what]) => what === 'delete 5-0-w')).toHaveLength(1);
      expect(warned[0]).toMatch(`The key ${PREFIX}5-0-w was put over by somebody`);
    });

    it('tries again in a second if it cannot delete it, and not at each change', async () => {
      const claim = await me.enter();
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      kv.fates.push('dropped');
      const deletions = () => asked().filter(([what]) => what === 'delete 5-0-w').length;
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
      expect(Object.keys(standing())).toEqual(['5-0-w', '2f-0-w']);
      expect(asked().flat().join()).not.toContain('delete');
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
});

async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { interval: 1 });
}

/** What stands in the queue, with the revisions at which it was put, in their order. */
function standing(): Record<string, number> {
  const kvs = [...kv.kvs.values()].filter(({ key }) => key.toString().startsWith(PREFIX));
  kvs.sort((a, b) => Number(a.create_revision) - Number(b.create_revision));
  return Object.fromEntries(
    kvs.map(({ key, create_revision }) => [
      key.toString().slice(PREFIX.length),
      Number(create_revision),
    ]),
  );
}

/** The transactions so far, without the lock's prefix. */
function asked(): string[][] {
  return kv.asked.map((writes) =>
    writes.map((write) => write.replace(PREFIX, '').replace('ns/lock/l/', '')),
  );
}
