import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../test/support/virtual-clock.js';
import { localGrantOf } from '../context/fence.js';
import { SessionLease } from '../session/session-lease.js';
import { Claim } from './claim.js';
import type { LockLossReason } from './lock-handle.js';
import { LockLostError } from './lock.errors.js';
import { MOST_TURNS, OwnLock } from './own-lock.js';

const KEY = 'ns/lock/sku%2F1/queue/1f-0-w';
const REVISION = 77n;
/** For how long a lease of 10 s is certain, in milliseconds: there is a margin. */
const CERTAIN_MS = 9000;

describe('a grant of a lock', () => {
  let clock: VirtualClock;
  let lease: SessionLease;
  let claim: Claim;
  let lock: OwnLock;
  let givenBack: OwnLock[];
  /** Resolves what is being given back. */
  let taken: () => void;

  beforeEach(() => {
    clock = new VirtualClock(0);
    lease = new SessionLease('31', 10_000, 0, clock, () => undefined);
    const lost = (reason: LockLossReason) => lock.lose(reason);
    claim = new Claim(KEY, 0, false, false, lease, { granted: () => undefined, lost });
    claim.stand(REVISION.toString());
    claim.grant();
    givenBack = [];
    lock = grant(0);
  });

  function grant(turn: number): OwnLock {
    const giveBack = (given: OwnLock) => {
      givenBack.push(given);
      return new Promise<void>((resolve) => (taken = resolve));
    };
    return new OwnLock(
      { name: 'sku/1', resource: 'lock/sku/1', ground: {}, giveBack },
      claim,
      turn,
    );
  }

  it('has a token that exceeds those of earlier turns and of earlier keys', () => {
    expect(lock.token).toBe(REVISION << 20n);
    expect(grant(5).token).toBe((REVISION << 20n) + 5n);
    expect(grant(MOST_TURNS - 1).token).toBe(((REVISION + 1n) << 20n) - 1n);
    expect(lock.fence).toMatchObject({
      resource: 'lock/sku/1',
      key: KEY,
      revision: REVISION,
      token: lock.token,
    });
    expect(lock.fence).toBe(lock.fence);
  });

  describe('is valid', () => {
    it('until the time of its lease is over by the clock, whether a timer came or not', () => {
      clock.freeze(CERTAIN_MS - 1);
      expect([lock.isValid(), lock.remainingMs()]).toEqual([true, 1]);
      clock.freeze(1);
      expect([lock.isValid(), lock.remainingMs()]).toEqual([false, 0]);
    });

    it('for longer when the lease is renewed', () => {
      lease.renew(5000);
      clock.freeze(CERTAIN_MS);
      expect([lock.isValid(), lock.remainingMs()]).toEqual([true, 5000]);
    });

    it('no more once it is being released, or lost', () => {
      const other = grant(1);
      void lock.release();
      expect([lock.isValid(), lock.remainingMs()]).toEqual([false, 0]);
      expect(other.isValid()).toBe(true);
      other.lose('key-deleted');
      expect([other.isValid(), other.remainingMs()]).toEqual([false, 0]);
      expect(lease.isValid()).toBe(true);
    });
  });

  describe('has a signal', () => {
    it('that aborts before those are told of the end of the lease who came later', () => {
      const { signal } = lock;
      const heard: unknown[] = [];
      signal.addEventListener('abort', () => heard.push(signal.reason));
      lease.end('gone');
      expect(heard).toEqual([expect.any(LockLostError)]);
      expect(signal.reason).toMatchObject({
        code: 'LOCK_LOST',
        key: 'sku/1',
        token: lock.token,
        reason: 'session-lost',
      });
    });

    it('that is right while the event loop is blocked', () => {
      const { signal } = lock;
      clock.freeze(CERTAIN_MS - 1);
      expect(signal.aborted).toBe(false);
      clock.freeze(1);
      expect(signal.aborted).toBe(true);
      expect(signal.reason).toMatchObject({ reason: 'session-lost' });
    });

    it.each<LockLossReason>(['key-deleted', 'refused', 'shutdown'])(
      'that is right if it is first asked for after the loss: %s',
      (reason) => {
        lock.lose(reason);
        expect(lock.signal.aborted).toBe(true);
        expect(lock.signal.reason).toMatchObject({ reason });
      },
    );

    it('that tells the first of two losses, if it is first asked for after both', () => {
      lock.lose('key-deleted');
      lock.lose('shutdown');
      expect(lock.signal.reason).toMatchObject({ reason: 'key-deleted' });
    });

    it('that is right if it is first asked for after the time is over', () => {
      clock.freeze(CERTAIN_MS);
      expect(lock.signal.aborted).toBe(true);
    });

    it('that stays the same one, and the first reason with it', () => {
      const { signal } = lock;
      lock.lose('key-deleted');
      lock.lose('shutdown');
      lease.end('gone');
      expect(lock.signal).toBe(signal);
      expect(signal.reason).toMatchObject({ reason: 'key-deleted' });
    });

    it('that a release does not abort, nor what comes after it', async () => {
      const { signal } = lock;
      const released = lock.release();
      lock.lose('key-deleted');
      lease.end('closed');
      expect(signal.aborted).toBe(false);
      expect(lock.signal).toBe(signal);
      taken();
      await released;
    });

    it('that is not aborted if it is first asked for after a release', () => {
      void lock.release();
      lock.lose('key-deleted');
      expect(lock.signal.aborted).toBe(false);
    });
  });

  describe('is given back', () => {
    it('once, however often it is released, and all wait for that', async () => {
      let done = 0;
      const releases = [lock.release(), lock.release(), lock[Symbol.asyncDispose]()];
      for (const release of releases) void release.then(() => (done += 1));
      expect(givenBack).toEqual([lock]);
      await Promise.resolve();
      expect(done).toBe(0);
      taken();
      await Promise.all(releases);
      await lock.release();
      expect(givenBack).toEqual([lock]);
    });

    it('as one that is over: who gets it back may pass it on at once', () => {
      let valid: boolean | undefined;
      const giveBack = (given: OwnLock) => {
        valid = given.isValid();
        // Releasing it again from there neither waits for itself nor gives it back twice.
        return given.release();
      };
      void new OwnLock({ name: 'n', resource: 'lock/n', ground: {}, giveBack }, claim, 1).release();
      expect(valid).toBe(false);
    });

    it('not when it was lost, or its time is over', async () => {
      lock.lose('key-deleted');
      await lock.release();
      const other = grant(1);
      clock.freeze(CERTAIN_MS);
      await other.release();
      expect(givenBack).toEqual([]);
    });
  });

  describe('that somebody guards writes by', () => {
    it('may come late if its key was read: it may be in another process now', () => {
      const { fence } = lock;
      expect([fence.resource, fence.revision, fence.token]).toHaveLength(3);
      expect(lock.mayBeLate).toBe(false);
      expect(fence.key).toBe(KEY);
      expect(lock.mayBeLate).toBe(true);
      // Only that grant: the next one is behind another key.
      expect(grant(1).mayBeLate).toBe(false);
    });

    it.each([
      ['a copy', (): unknown => ({ ...lock.fence })],
      [
        'JSON',
        (): unknown => JSON.stringify(lock.fence, (_, v) => (typeof v === 'bigint' ? `${v}` : v)),
      ],
      ['Object.entries', (): unknown => Object.entries(lock.fence)],
    ])('may come late if its key was read by %s', (_, read) => {
      read();
      expect(lock.mayBeLate).toBe(true);
    });

    it('does not come late because this process reads the key of the grant', () => {
      const local = localGrantOf(lock.fence)!;
      expect(local.key).toBe(KEY);
      expect(local.isValid()).toBe(true);
      expect(lock.mayBeLate).toBe(false);
    });

    it('keeps to itself what a copy of its fence cannot answer for', () => {
      expect(localGrantOf({ ...lock.fence })).toBeNull();
    });

    it('tells whether it stands by the clock', () => {
      const local = localGrantOf(lock.fence)!;
      clock.freeze(CERTAIN_MS);
      expect(local.isValid()).toBe(false);
    });

    it('may come late while a write is under way, and not when it was answered', async () => {
      const { guard } = localGrantOf(lock.fence)!;
      const answers: ((value: string) => void)[] = [];
      const write = () => guard(() => new Promise<string>((resolve) => answers.push(resolve)));
      const writes = [write(), write()];
      expect(lock.mayBeLate).toBe(true);
      answers[1]!('second');
      expect(await writes[1]).toBe('second');
      expect(lock.mayBeLate).toBe(true);
      answers[0]!('first');
      expect(await writes[0]).toBe('first');
      expect(lock.mayBeLate).toBe(false);
    });

    it('may come late for good once a write has failed: it may yet be applied', async () => {
      const { guard } = localGrantOf(lock.fence)!;
      const lost = new Error('its answer was lost');
      await expect(guard(() => Promise.reject(lost))).rejects.toBe(lost);
      expect(lock.mayBeLate).toBe(true);
      await guard(() => Promise.resolve());
      expect(lock.mayBeLate).toBe(true);
    });
  });
});
