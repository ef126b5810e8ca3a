import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { currentLock } from './current-lock.js';
import { LockLostError } from './lock.errors.js';
import { LockReleasedError } from './lock-released.error.js';
import { runWithLock } from './run-with-lock.js';
import { FakeLockHandle } from '../../../../test/support/fake-lock-handle.js';

let handle: FakeLockHandle;
beforeEach(() => {
  handle = new FakeLockHandle();
});
afterEach(() => {
  vi.useRealTimers();
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

    const other = new FakeLockHandle();
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
