import { setTimeout as sleep } from 'node:timers/promises';
import {
  concat,
  defer,
  from,
  interval,
  lastValueFrom,
  NEVER,
  of,
  Subject,
  take,
  toArray,
} from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { currentLock } from './current-lock.js';
import { LockLostError } from './lock.errors.js';
import { LockReleasedError } from './lock-released.error.js';
import { runWithLock } from './run-with-lock.js';
import { settle } from '../../../../test/support/virtual-clock.js';
import { FakeLockHandle } from '../../../../test/support/fake-lock-handle.js';

let handle: FakeLockHandle;
beforeEach(() => {
  handle = new FakeLockHandle();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('an Observable that was returned', () => {
  it('holds the lock until it completes, runs in its context, and is heard outside of it', async () => {
    const inside: unknown[] = [];
    const outside: unknown[] = [];
    const source = defer(() => {
      inside.push(currentLock());
      return from(sleep(2).then(() => inside.push(currentLock())));
    });
    const held = await runWithLock(handle, () => source);
    expect(handle.release).not.toHaveBeenCalled();

    await new Promise<void>((resolve) => {
      held.subscribe({
        next: () => outside.push(currentLock(), handle.release.mock.calls.length),
        complete: () => {
          outside.push(currentLock(), handle.release.mock.calls.length);
          resolve();
        },
      });
    });

    expect(inside).toEqual([handle, handle]);
    expect(outside).toEqual([null, 0, null, 1]);
  });

  it('releases when it fails, and gives the error on', async () => {
    const held = await runWithLock(handle, () =>
      concat(
        of(1),
        defer(() => Promise.reject(new Error('mine'))),
      ),
    );
    const seen: unknown[] = [];
    await expect(
      new Promise((_, reject) =>
        held.subscribe({ next: (value) => seen.push(value), error: reject }),
      ),
    ).rejects.toThrow('mine');
    expect(seen).toEqual([1]);
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('releases when it is unsubscribed from', async () => {
    const torn = vi.fn<() => void>();
    const held = await runWithLock(handle, () => NEVER.pipe((source) => concat(of(1), source)));
    const subscription = held.subscribe();
    subscription.add(torn);
    expect(handle.release).not.toHaveBeenCalled();
    subscription.unsubscribe();

    expect(handle.release).toHaveBeenCalledTimes(1);
    expect(torn).toHaveBeenCalled();
  });

  it('stops a source that emits without end while it is subscribed to', async () => {
    const endless = from(
      (function* () {
        for (let n = 0; ; n++) yield n;
      })(),
    );
    const held = await runWithLock(handle, () => endless);

    await expect(lastValueFrom(held.pipe(take(3), toArray()))).resolves.toEqual([0, 1, 2]);
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('ends with the loss at once, and unsubscribes from the source', async () => {
    const source = new Subject<number>();
    const held = await runWithLock(handle, () => source);
    const error = vi.fn<(error: unknown) => void>();
    held.subscribe({ error });
    expect(source.observed).toBe(true);
    const lost = handle.lose();
    await settle();

    expect(source.observed).toBe(false);
    expect(error).toHaveBeenCalledExactlyOnceWith(lost);
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('gives on nothing that came after a loss that no event has told of yet', async () => {
    const source = new Subject<number>();
    const held = await runWithLock(handle, () => source);
    const next = vi.fn<(value: number) => void>();
    const error = vi.fn<(error: unknown) => void>();
    held.subscribe({ next, error });
    const lost = new LockLostError('stock', 7n, 'session-lost');
    // As a signal that asks the clock when it is read: no event has been dispatched.
    Object.assign(handle, {
      signal: { aborted: true, reason: lost, removeEventListener: () => undefined },
    });
    vi.spyOn(handle, 'isValid').mockReturnValue(false);
    source.next(1);
    await settle();

    expect(next).not.toHaveBeenCalled();
    expect(error).toHaveBeenCalledExactlyOnceWith(lost);
  });

  it('is held for several at once, and refused to who comes when the lock is released', async () => {
    const source = new Subject<number>();
    const held = await runWithLock(handle, () => source);
    const first = held.subscribe();
    const second = held.subscribe();
    first.unsubscribe();
    expect(handle.release).not.toHaveBeenCalled();
    second.unsubscribe();
    expect(handle.release).toHaveBeenCalledTimes(1);

    await expect(lastValueFrom(held)).rejects.toThrow(LockReleasedError);
    await expect(lastValueFrom(held)).rejects.toThrow(/was used to its end before/);
    expect(source.observed).toBe(false);
  });

  it('lets the lock go when nobody subscribes in time', async () => {
    vi.useFakeTimers();
    const subscribed = vi.fn<() => void>();
    const held = await runWithLock(handle, () => defer(() => of(subscribed())));
    vi.advanceTimersByTime(29_999);
    expect(handle.release).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(handle.release).toHaveBeenCalledTimes(1);

    await expect(lastValueFrom(held)).rejects.toMatchObject({
      code: 'LOCK_RELEASED',
      unusedMs: 30_000,
    });
    expect(subscribed).not.toHaveBeenCalled();
  });

  it('is told of as work that goes on, until the lock is released', async () => {
    let over = false;
    const source = new Subject<number>();
    const track = vi.fn<(over: Promise<void>) => void>(
      (ends) => void ends.then(() => (over = true)),
    );
    const held = await runWithLock(handle, () => source, { track });
    expect(track).toHaveBeenCalledTimes(1);
    const subscription = held.subscribe();
    await settle();
    expect(over).toBe(false);
    subscription.unsubscribe();
    await settle();
    expect(over).toBe(true);
  });

  it('may go on for longer than that once it has begun', async () => {
    vi.useFakeTimers();
    const held = await runWithLock(handle, () => interval(20_000).pipe(take(4)));
    const done = lastValueFrom(held);
    await vi.advanceTimersByTimeAsync(79_000);
    expect(handle.release).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(done).resolves.toBe(3);
  });
});
