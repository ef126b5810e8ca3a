import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LOCAL_GRANT } from '../context/fence.js';
import { currentFence, currentFences } from '../context/ownership-context.js';
import { currentLock } from './current-lock.js';
import type { LockHandle } from './lock-handle.js';
import { LockLostError } from './lock.errors.js';
import { MultiLockHandle } from './multi-handle.js';
import { runWithLock } from './run-with-lock.js';
import { settle } from '../../../../test/support/virtual-clock.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { FakeLockHandle } from '../../../../test/support/fake-lock-handle.js';

let handle: FakeLockHandle;
beforeEach(() => {
  handle = new FakeLockHandle();
});
afterEach(() => void vi.useRealTimers());

describe('runWithLock', () => {
  it('runs the work in the context of the lock, and releases it once when that has ended', async () => {
    const seen: unknown[] = [];
    const result = await runWithLock(handle, async (lock) => {
      seen.push(lock, currentLock(), currentFence());
      await sleep(1);
      seen.push(currentLock());
      expect(handle.release).not.toHaveBeenCalled();
      return 'done';
    });

    expect(result).toBe('done');
    expect(seen).toEqual([handle, handle, handle.fence, handle]);
    expect(handle.release).toHaveBeenCalledTimes(1);
    expect(currentLock()).toBeNull();
  });

  it('asks a thenable in the context, and holds the lock until it is fulfilled', async () => {
    const query = {
      // oxlint-disable-next-line unicorn/no-thenable
      then(resolve: (value: unknown) => void) {
        const inside = currentLock();
        setTimeout(() => resolve({ inside, released: handle.release.mock.calls.length }), 1);
      },
    };

    const result = await runWithLock(handle, () => query as unknown as PromiseLike<unknown>);

    expect(result).toEqual({ inside: handle, released: 0 });
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
  ])('releases when the work %s, and gives its error on', async (_, work: () => Promise<never>) => {
    await expect(runWithLock(handle, work)).rejects.toThrow('mine');
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('has neither result nor error replaced by a release that fails', async () => {
    handle.release.mockRejectedValue(new Error('release failed'));

    await expect(runWithLock(handle, () => 'fine')).resolves.toBe('fine');
    await expect(runWithLock(handle, () => Promise.reject(new Error('mine')))).rejects.toThrow(
      'mine',
    );
  });

  it('waits for the release', async () => {
    let finish!: () => void;
    handle.release.mockReturnValue(new Promise((resolve) => (finish = resolve)));
    let over = false;
    const running = runWithLock(handle, () => 'x').then(() => (over = true));
    await settle();
    expect(over).toBe(false);
    finish();
    await running;
  });

  it('says after the work, not before, that the lock was lost meanwhile', async () => {
    let ended = false;
    const running = failureOf(
      runWithLock(handle, async () => {
        handle.lose();
        await sleep(10);
        ended = true;
        return 'late';
      }),
    );
    const error = await running;

    expect(ended).toBe(true);
    expect(error).toBeInstanceOf(LockLostError);
    expect((error as Error).cause).toBeUndefined();
    expect(error).toMatchObject({
      key: 'stock',
      token: 7n,
      reason: 'session-lost',
    });
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('says so of work that failed for another reason, which is the cause', async () => {
    const mine = new Error('mine');
    const error = await failureOf(
      runWithLock(handle, () => {
        handle.lose('key-deleted');
        throw mine;
      }),
    );

    expect(error).toBeInstanceOf(LockLostError);
    expect(error).toMatchObject({ reason: 'key-deleted', cause: mine });
  });

  it.each([
    ['its reason', async (lock: LockHandle) => lock.signal.throwIfAborted()],
    ["Node's AbortError", (lock: LockHandle) => sleep(10_000, undefined, { signal: lock.signal })],
  ])('gives the loss alone when the work stopped by the signal, with %s', async (_, work) => {
    let lost: LockLostError | undefined;
    const error = await failureOf(
      runWithLock(handle, async (lock) => {
        lost = handle.lose();
        await work(lock);
      }),
    );

    expect(error).toBe(lost);
  });

  it('does not take for a loss what the work has released itself', async () => {
    await expect(
      runWithLock(handle, async (lock) => {
        await lock.release();
        return 'early';
      }),
    ).resolves.toBe('early');
  });

  it('never asks for the key of the fence, which would count as giving it away', async () => {
    const key = vi.fn<() => string>(() => 'ns/lock/stock/queue/1-0-w');
    const fence = Object.defineProperty({ ...handle.fence, [LOCAL_GRANT]: {} }, 'key', {
      get: key,
    });
    await runWithLock(Object.assign(handle, { fence }), () => currentFence());

    expect(key).not.toHaveBeenCalled();
  });
});

describe('several locks at once', () => {
  it('are all found in the context, and seen as one', async () => {
    const [one, two] = [new FakeLockHandle(), new FakeLockHandle()];
    Object.assign(two, { fence: { ...two.fence, resource: 'lock/two' } });
    const both = new MultiLockHandle([one, two]);

    const seen = await runWithLock(both, () => [currentLock(), currentFence(), currentFences()]);

    expect(seen).toEqual([both, two.fence, [two.fence, one.fence]]);
    expect(one.release).toHaveBeenCalledTimes(1);
  });
});
