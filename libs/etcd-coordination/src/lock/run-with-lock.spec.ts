import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { StreamableFile } from '@nestjs/common';
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
import { LOCAL_GRANT } from '../context/fence.js';
import { currentFence, currentFences } from '../context/ownership-context.js';
import { currentLock } from './current-lock.js';
import type { LockHandle, LockLossReason } from './lock-handle.js';
import { LockLostError } from './lock.errors.js';
import { LockReleasedError } from './lock-released.error.js';
import { MultiLockHandle } from './multi-handle.js';
import { runWithLock } from './run-with-lock.js';
import { settle } from '../../../../test/support/virtual-clock.js';

/** A grant that is lost and released on command. */
class FakeHandle implements LockHandle {
  readonly key = 'stock';
  readonly token = 7n;
  readonly fence = {
    resource: 'lock/stock',
    key: 'ns/lock/stock/queue/1-0-w',
    revision: 7n,
    token: 7n,
  };
  readonly release = vi.fn<() => Promise<void>>(async () => {
    this.valid = false;
  });
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private valid = true;

  isValid(): boolean {
    return this.valid;
  }
  remainingMs(): number {
    return this.valid ? 1000 : 0;
  }
  lose(reason: LockLossReason = 'session-lost'): LockLostError {
    const error = new LockLostError(this.key, this.token, reason);
    this.valid = false;
    this.controller.abort(error);
    return error;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

let handle: FakeHandle;
beforeEach(() => {
  handle = new FakeHandle();
});
afterEach(() => {
  vi.useRealTimers();
});

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

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

describe('an async iterator that was returned', () => {
  async function* numbers(onEnd: () => void = () => undefined) {
    try {
      for (let n = 0; n < 3; n++) {
        await sleep(1);
        yield { n, lock: currentLock() };
      }
    } finally {
      onEnd();
    }
  }

  it('holds the lock until it is done, each pull in its context', async () => {
    const seen: unknown[] = [];
    for await (const { n, lock } of await runWithLock(handle, () => numbers())) {
      expect(handle.release).not.toHaveBeenCalled();
      expect(currentLock()).toBeNull();
      seen.push(n, lock);
    }

    expect(seen).toEqual([0, handle, 1, handle, 2, handle]);
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('releases after the finally of one that is left early', async () => {
    const onEnd = vi.fn<() => void>(() => expect(handle.release).not.toHaveBeenCalled());
    for await (const { n } of await runWithLock(handle, () => numbers(onEnd))) if (n === 1) break;

    expect(onEnd).toHaveBeenCalledTimes(1);
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('releases one that is given up before it began, and one that failed', async () => {
    const held = await runWithLock(handle, () => numbers());
    await held.return();
    expect(handle.release).toHaveBeenCalledTimes(1);
    await expect(held.next()).resolves.toEqual({ done: true, value: undefined });

    const other = new FakeHandle();
    const failing = await runWithLock(other, async function* () {
      yield 1;
      throw new Error('mine');
    });
    await failing.next();
    await expect(failing.next()).rejects.toThrow('mine');
    expect(other.release).toHaveBeenCalledTimes(1);
    await expect(failing.next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('is told what is thrown into it, and sent', async () => {
    const held = await runWithLock(handle, async function* (): AsyncGenerator<
      number,
      string,
      number
    > {
      try {
        yield (yield 1) * 2;
      } catch (error) {
        return (error as Error).message;
      }
      return 'no';
    });

    expect((await held.next()).value).toBe(1);
    expect((await held.next(21)).value).toBe(42);
    expect(await held.throw(new Error('mine'))).toEqual({ done: true, value: 'mine' });
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('pulls no more after a loss, and lets the source clean up', async () => {
    const onEnd = vi.fn<() => void>();
    const held = await runWithLock(handle, () => numbers(onEnd));
    await held.next();
    const lost = handle.lose();

    await expect(held.next()).rejects.toBe(lost);
    expect(onEnd).toHaveBeenCalledTimes(1);
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('says at its end that the lock was lost', async () => {
    const held = await runWithLock(handle, async function* () {
      yield 1;
      handle.lose();
    });
    await held.next();

    await expect(held.next()).rejects.toThrow(LockLostError);
  });

  it('is refused when nobody pulled in time', async () => {
    vi.useFakeTimers();
    const held = await runWithLock(handle, () => numbers());
    vi.advanceTimersByTime(30_000);
    expect(handle.release).toHaveBeenCalledTimes(1);

    await expect(held.next()).rejects.toThrow(LockReleasedError);
  });

  it('keeps the class, the private fields and the other methods of what can be iterated over', async () => {
    class Cursor {
      readonly #rows = [1, 2];
      count() {
        return this.#rows.length;
      }
      async *[Symbol.asyncIterator]() {
        yield* this.#rows;
      }
    }
    const held = await runWithLock(handle, () => new Cursor());

    expect(held).toBeInstanceOf(Cursor);
    expect(held.count()).toBe(2);
    const rows = [];
    for await (const row of held) rows.push(row);
    expect(rows).toEqual([1, 2]);
    expect(handle.release).toHaveBeenCalledTimes(1);
  });

  it('does not take an ordinary iterable, such as an array, for work', async () => {
    await expect(runWithLock(handle, () => [1, 2])).resolves.toEqual([1, 2]);
    expect(handle.release).toHaveBeenCalledTimes(1);
  });
});

describe('a stream that was returned', () => {
  const lines = () =>
    Readable.from(
      (async function* () {
        yield 'a';
        await sleep(1);
        yield currentLock() === handle ? 'in' : 'out';
      })(),
    );

  it('holds the lock until it is read, in its context', async () => {
    const stream = lines();
    const held = await runWithLock(handle, () => stream);
    expect(held).toBe(stream);
    expect(handle.release).not.toHaveBeenCalled();

    await expect(text(held)).resolves.toBe('ain');
    await vi.waitFor(() => expect(handle.release).toHaveBeenCalledTimes(1));
  });

  it('holds it for a StreamableFile, and for a stream of the web', async () => {
    const file = await runWithLock(handle, () => new StreamableFile(lines()));
    await expect(text(file.getStream())).resolves.toBe('ain');
    await vi.waitFor(() => expect(handle.release).toHaveBeenCalledTimes(1));

    const other = new FakeHandle();
    const web = await runWithLock(other, () => new Response('web').body!);
    expect(other.release).not.toHaveBeenCalled();
    await expect(new Response(web).text()).resolves.toBe('web');
    await vi.waitFor(() => expect(other.release).toHaveBeenCalledTimes(1));
  });

  it('releases when it is destroyed, and when it fails', async () => {
    const held = await runWithLock(handle, () => lines());
    held.destroy();
    await vi.waitFor(() => expect(handle.release).toHaveBeenCalledTimes(1));

    const other = new FakeHandle();
    const failing = await runWithLock(other, () => new PassThrough());
    const heard = failureOf(text(failing));
    failing.destroy(new Error('mine'));
    await expect(heard).resolves.toMatchObject({ message: 'mine' });
    await vi.waitFor(() => expect(other.release).toHaveBeenCalledTimes(1));
  });

  it('is destroyed with the loss', async () => {
    const held = await runWithLock(handle, () => new PassThrough());
    const heard = failureOf(text(held));
    held.write('a');
    const lost = handle.lose();

    await expect(heard).resolves.toBe(lost);
  });

  it('does not end well after a loss that no event has told of yet', async () => {
    const held = await runWithLock(handle, () => new PassThrough());
    const heard = failureOf(text(held));
    held.write('a');
    const lost = new LockLostError('stock', 7n, 'session-lost');
    Object.assign(handle, {
      signal: { aborted: true, reason: lost, removeEventListener: () => undefined },
    });
    vi.spyOn(handle, 'isValid').mockReturnValue(false);
    held.end();

    await expect(heard).resolves.toBe(lost);
  });

  it('is destroyed when nobody reads it in time', async () => {
    const held = await runWithLock(handle, () => lines(), { unusedMs: 10 });
    const failed = new Promise((resolve) => held.on('error', resolve));

    await expect(failed).resolves.toBeInstanceOf(LockReleasedError);
    await vi.waitFor(() => expect(handle.release).toHaveBeenCalledTimes(1));
  });
});

describe('several locks at once', () => {
  it('are all found in the context, and seen as one', async () => {
    const [one, two] = [new FakeHandle(), new FakeHandle()];
    Object.assign(two, { fence: { ...two.fence, resource: 'lock/two' } });
    const both = new MultiLockHandle([one, two]);

    const seen = await runWithLock(both, () => [currentLock(), currentFence(), currentFences()]);

    expect(seen).toEqual([both, two.fence, [two.fence, one.fence]]);
    expect(one.release).toHaveBeenCalledTimes(1);
  });
});
