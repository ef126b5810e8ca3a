import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { failureOf } from '../../../../../test/support/failure-of.js';
import { FakeServicePool } from '../../../../../test/support/fake-service-pool.js';
import { fenceOf } from '../../../../../test/support/fences.js';
import { settle, VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { runOwning } from '../../context/ownership-context.js';
import { InvalidDiscoveryOptionError, NoInstanceError } from '../discovery.errors.js';
import { CallTimeoutError } from './call.errors.js';
import type { CallOptions, ServiceCall } from './call-options.js';
import { callService } from './call-service.js';

const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

const clock = new VirtualClock();

function call<T>(pool: FakeServicePool, fn: ServiceCall<T>, options?: CallOptions): Promise<T> {
  return callService(pool, fn, options, { clock, random: () => 0 });
}

/** Fails with the first errors, one for each attempt, and then answers with who was asked. */
function failing(...errors: unknown[]) {
  const asked: string[] = [];
  const fn: ServiceCall<string> = async ({ id }, { attempt }) => {
    asked.push(id);
    if (attempt <= errors.length) throw errors[attempt - 1];
    return id;
  };
  return { asked, fn };
}

afterEach(() => {
  expect(clock.pending).toBe(0);
});

describe('a call of a service', () => {
  it('gives the answer of an instance, and tells the pool', async () => {
    const pool = FakeServicePool.of('a');
    expect(await call(pool, async ({ id }, { attempt }) => `${id}${attempt}`)).toBe('a1');
    expect(pool.ends).toEqual(['a succeeded']);
  });

  it('goes to another instance if it never reached the first', async () => {
    const pool = FakeServicePool.of('a', 'b', 'c');
    const { fn, asked } = failing(refused, refused);
    const answer = await call(pool, fn);
    expect(new Set(asked).size).toBe(3);
    expect(asked[2]).toBe(answer);
    expect(pool.ends.map((end) => end.slice(2))).toEqual(['failed', 'failed', 'succeeded']);
  });

  it('comes back to those that were tried when there is no other', async () => {
    const pool = FakeServicePool.of('a');
    const { fn, asked } = failing(refused, refused);
    const answering = call(pool, fn);
    await clock.advance(0);
    expect(await answering).toBe('a');
    expect(asked).toEqual(['a', 'a', 'a']);
  });

  it('waits before it asks one again that has just failed, and not before it asks another', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const { fn, asked } = failing(refused, refused);
    const answering = callService(pool, fn, {}, { clock, random: () => 1 });
    await settle();
    expect(asked).toEqual(['a', 'b']);
    await clock.advance(99);
    expect(asked).toHaveLength(2);
    await clock.advance(1);
    await answering;
    expect(asked).toHaveLength(3);
  });

  it('never asks those that the caller excludes', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const { fn, asked } = failing(refused, refused);
    const answering = call(pool, fn, { exclude: new Set(['b']) });
    await clock.advance(0);
    await answering;
    expect(asked).toEqual(['a', 'a', 'a']);
  });

  it('is not repeated if it may have been applied', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const { fn, asked } = failing(reset);
    await expect(call(pool, fn)).rejects.toBe(reset);
    expect(asked).toEqual(['a']);
    expect(pool.ends).toEqual(['a failed']);
  });

  it('is repeated if it may be applied twice', async () => {
    const pool = FakeServicePool.of('a', 'b');
    expect(await call(pool, failing(reset).fn, { idempotent: true })).toBe('b');
    expect(pool.ends).toEqual(['a failed', 'b succeeded']);
  });

  it('is not repeated for what the application answers, which is no fault of the instance', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const outOfStock = new Error('out of stock');
    await expect(call(pool, failing(outOfStock).fn, { idempotent: true })).rejects.toBe(outOfStock);
    expect(pool.ends).toEqual(['a succeeded']);
  });

  it('lets the caller say that an answer is a fault', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const overloaded = new Error('overloaded');
    const isFailure = (error: unknown) => error === overloaded;
    await expect(call(pool, failing(overloaded).fn, { isFailure })).rejects.toBe(overloaded);
    expect(pool.ends).toEqual(['a failed']);
    const repeated = { isFailure, idempotent: true };
    expect(await call(pool, failing(overloaded).fn, repeated)).toBe('a');
  });

  it('takes an isFailure that throws, or answers nonsense, for a no', async () => {
    const pool = FakeServicePool.of('a');
    const own = new Error('own');
    const throws = () => {
      throw new Error('broken');
    };
    await expect(call(pool, failing(own).fn, { isFailure: throws })).rejects.toBe(own);
    const nonsense = (() => 'perhaps') as unknown as () => boolean;
    await expect(call(pool, failing(own).fn, { isFailure: nonsense })).rejects.toBe(own);
    expect(pool.ends).toEqual(['a succeeded', 'a succeeded']);
  });

  it('throws the last error as it is, after as many attempts as were asked for', async () => {
    const pool = FakeServicePool.of('a', 'b', 'c');
    const last = Object.assign(new Error('last'), { code: 'ECONNREFUSED' });
    const { fn, asked } = failing(refused, last, refused);
    await expect(call(pool, fn, { attempts: 2 })).rejects.toBe(last);
    expect(asked).toHaveLength(2);
  });

  it('says that there is nobody to call', async () => {
    await expect(call(FakeServicePool.of(), failing().fn)).rejects.toThrow(NoInstanceError);
  });

  it('throws the error of the only instance if that is gone by the next attempt', async () => {
    const pool = FakeServicePool.of('a');
    const answering = call(pool, () => {
      pool.show([]);
      return Promise.reject(refused);
    });
    await Promise.all([expect(answering).rejects.toBe(refused), clock.advance(0)]);
  });

  it.each([
    ['attempts', 0],
    ['attempts', 11],
    ['attempts', 1.5],
    ['timeoutMs', 0],
    ['timeoutMs', Number.NaN],
    ['timeoutMs', 2 ** 31],
    ['readyTimeoutMs', '5'],
    ['signal', {}],
    ['idempotent', 'yes'],
    ['isFailure', true],
    ['strategy', 'best'],
    ['zone', 7],
    ['exclude', ['a']],
    ['retries', 3],
  ])('refuses the option %s: %j', async (option, value) => {
    const fn = vi.fn<ServiceCall<void>>();
    const refusing = call(FakeServicePool.of('a'), fn, { [option]: value });
    await expect(refusing).rejects.toThrow(InvalidDiscoveryOptionError);
    await expect(refusing).rejects.toMatchObject({ option });
    expect(fn).not.toHaveBeenCalled();
  });
});

describe('the function that makes a call', () => {
  it('may throw at once, which says nothing of the instance', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const fault = new TypeError('mine');
    const throws = () => {
      throw fault;
    };
    await expect(call(pool, throws, { idempotent: true })).rejects.toBe(fault);
    expect(pool.ends).toEqual(['a abandoned']);
  });

  it.each([undefined, null, 7, {}])('may give %j', async (value) => {
    expect(await call(FakeServicePool.of('a'), () => value)).toBe(value);
  });

  it('may reject with nothing', async () => {
    const pool = FakeServicePool.of('a');
    const rejectsWithNothing = async () => {
      // oxlint-disable-next-line typescript/only-throw-error
      throw undefined;
    };
    await expect(call(pool, rejectsWithNothing)).rejects.toBe(undefined);
    expect(pool.ends).toEqual(['a succeeded']);
  });

  it('must be one', async () => {
    const none = 'GET' as unknown as ServiceCall<string>;
    await expect(call(FakeServicePool.of('a'), none)).rejects.toMatchObject({ option: 'fn' });
  });
});

describe('the time of an attempt', () => {
  it('is over although the function ignores its signal', async () => {
    const pool = FakeServicePool.of('a');
    const signals: AbortSignal[] = [];
    const answering = call(
      pool,
      (_, { signal }) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
      { timeoutMs: 50 },
    );
    const failing = failureOf(answering);
    await clock.advance(50);
    expect(await failing).toBeInstanceOf(CallTimeoutError);
    expect(signals[0]!.reason).toBeInstanceOf(CallTimeoutError);
    expect(pool.ends).toEqual(['a failed']);
  });

  it('is that of each attempt, of which an idempotent call has several', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const answering = call(
      pool,
      ({ id }) => (id === 'a' ? new Promise<string>(() => undefined) : Promise.resolve(id)),
      { timeoutMs: 50, idempotent: true },
    );
    await clock.advance(50);
    expect(await answering).toBe('b');
    expect(pool.ends).toEqual(['a failed', 'b succeeded']);
  });

  it('leaves what fails after it to nobody', async () => {
    const pool = FakeServicePool.of('a');
    let fail!: (error: unknown) => void;
    const late = new Promise((_, reject) => (fail = reject));
    const answering = call(pool, () => late, { timeoutMs: 50 });
    const failing = failureOf(answering);
    await clock.advance(50);
    expect(await failing).toBeInstanceOf(CallTimeoutError);
    fail(new Error('late'));
    await settle();
    expect(pool.ends).toEqual(['a failed']);
  });
});

describe('a caller that gives up', () => {
  const hangs: ServiceCall<string> = () => new Promise(() => undefined);

  it('is left at once, with its reason', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const controller = new AbortController();
    const seen = vi.fn<(reason: unknown) => void>();
    const answering = call(
      pool,
      (_, { signal }) => {
        signal.addEventListener('abort', () => seen(signal.reason));
        return new Promise(() => undefined);
      },
      { signal: controller.signal, idempotent: true },
    );
    const reason = new Error('enough');
    const failing = failureOf(answering);
    await settle();
    controller.abort(reason);
    expect(await failing).toBe(reason);
    expect(seen).toHaveBeenCalledWith(reason);
    expect(pool.ends).toEqual(['a abandoned']);
    expect(pool.lastReason).toBe(reason);
  });

  it('before the call calls nobody', async () => {
    const fn = vi.fn<ServiceCall<void>>();
    const reason = new Error('before');
    const options = { signal: AbortSignal.abort(reason) };
    await expect(call(FakeServicePool.of('a'), fn, options)).rejects.toBe(reason);
    expect(fn).not.toHaveBeenCalled();
  });

  it('in the pause between two attempts makes no other one', async () => {
    const pool = FakeServicePool.of('a');
    const controller = new AbortController();
    const { fn, asked } = failing(refused);
    const options = { signal: controller.signal };
    const answering = callService(pool, fn, options, { clock, random: () => 1 });
    const failed = failureOf(answering);
    await settle();
    controller.abort(new Error('enough'));
    expect(await failed).toMatchObject({ message: expect.stringContaining('enough') as string });
    expect(asked).toEqual(['a']);
  });

  it('may give up hundreds of calls by one signal, which has one listener and keeps none of them', async () => {
    const pool = FakeServicePool.of('a');
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 300 }, () => call(pool, failing().fn, { signal })));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  });

  it.each(['term', 'lock'] as const)('is one that has lost its %s', async (kind) => {
    const pool = FakeServicePool.of('a');
    const owner = new AbortController();
    const lost = new Error('lost');
    const inner = { signal: new AbortController().signal };
    const answering = runOwning(kind, owner, fenceOf('lock/outer', 1n), () =>
      runOwning(kind, inner, fenceOf('lock/inner', 2n), () => call(pool, hangs)),
    );
    const failed = failureOf(answering);
    await settle();
    owner.abort(lost);
    expect(await failed).toBe(lost);
    expect(pool.ends).toEqual(['a abandoned']);
  });

  it('makes no further attempt if it has lost its term unnoticed, by the clock', async () => {
    const pool = FakeServicePool.of('a', 'b');
    const owner = new AbortController();
    const lost = new Error('lost');
    let isOver = false;
    owner.signal.throwIfAborted = () => {
      if (isOver) throw lost;
    };
    const asked = vi.fn<ServiceCall<never>>(() => {
      isOver = true;
      return Promise.reject(refused);
    });
    const answering = runOwning('term', owner, fenceOf('election/x', 1n), () => call(pool, asked));
    await expect(answering).rejects.toBe(lost);
    expect(asked).toHaveBeenCalledTimes(1);
  });
});

describe('a term that is lost unnoticed, by the clock', () => {
  const lost = new Error('lost');
  /** A term that has been lost as soon as `isLost` says so, though nobody has told its signal. */
  function under<T>(isLost: () => boolean, work: () => Promise<T>): Promise<T> {
    const owner = new AbortController();
    owner.signal.throwIfAborted = () => {
      if (isLost()) throw lost;
    };
    return runOwning('term', owner, fenceOf('election/x', 1n), work);
  }

  it('lets nothing be sent once the list has come', async () => {
    const pool = FakeServicePool.of('a');
    pool.isReady = false;
    const { fn, asked } = failing();
    // The fake is ready only after it was waited for.
    await expect(
      under(
        () => pool.isReady,
        () => call(pool, fn),
      ),
    ).rejects.toBe(lost);
    expect(asked).toEqual([]);
  });

  it('lets nothing be sent after the pause before another attempt', async () => {
    const pool = FakeServicePool.of('a');
    const { fn, asked } = failing(refused);
    let isLost = false;
    const answering = under(
      () => isLost,
      () => callService(pool, fn, {}, { clock, random: () => 1 }),
    );
    const failed = failureOf(answering);
    await settle();
    isLost = true;
    await clock.advance(100);
    expect(await failed).toBe(lost);
    expect(asked).toEqual(['a']);
  });
});

describe('the list of a service that is not here yet', () => {
  it('is waited for', async () => {
    const pool = FakeServicePool.of('a');
    pool.isReady = false;
    expect(await call(pool, failing().fn)).toBe('a');
  });

  it('is waited for so long only', async () => {
    const pool = FakeServicePool.of('a');
    pool.isReady = false;
    pool.becomesReady = (signal) =>
      new Promise((_, reject) => {
        signal!.addEventListener('abort', () => reject(signal!.reason as Error));
      });
    const answering = call(pool, failing().fn, { readyTimeoutMs: 70 });
    const failed = failureOf(answering);
    await clock.advance(70);
    expect(await failed).toMatchObject({
      message: expect.stringContaining('has not come within 70 ms') as string,
    });
    await expect(answering).rejects.toThrow(NoInstanceError);
    expect(pool.ends).toEqual([]);
  });
});
