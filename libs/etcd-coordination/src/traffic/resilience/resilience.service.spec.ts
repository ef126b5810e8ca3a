import { describe, expect, it } from 'vitest';
import { failureOf } from '../../../../../test/support/failure-of.js';
import { runOwning } from '../../context/ownership-context.js';
import {
  answers,
  clock,
  declare,
  down,
  never,
  onResilienceStage,
  policies,
  resilience,
} from '../../../../../test/support/resilience-stage.js';
import { settle } from '../../../../../test/support/virtual-clock.js';
import { currentCall } from './current-call.js';
import {
  BreakerOpenError,
  BulkheadFullError,
  FallbackFailedError,
  ResilienceTimeoutError,
} from './resilience.errors.js';

onResilienceStage();

describe('a call under a policy', () => {
  it('gives what the function gives, at once or later, and throws what it throws', async () => {
    declare({});

    await expect(resilience.execute('stock', () => 1)).resolves.toBe(1);
    await expect(resilience.execute('stock', async () => 2)).resolves.toBe(2);
    await expect(resilience.execute('stock', () => Promise.reject(down))).rejects.toBe(down);
    const thrower = () => {
      throw down;
    };
    await expect(resilience.execute('stock', thrower)).rejects.toBe(down);
  });

  it('is refused where there is no such policy: the error lists those that there are', async () => {
    declare({});

    await expect(resilience.execute('stok', () => 1)).rejects.toMatchObject({
      code: 'UNKNOWN_TRAFFIC_NAME',
      message: expect.stringContaining('"stock"') as string,
    });
  });

  it.each([
    ['work', 1, {}],
    ['signal', () => 1, { signal: 'no' }],
    ['idempotent', () => 1, { idempotent: 'yes' }],
    ['fallback', () => 1, { fallback: 'name' }],
    ['handle', () => 1, { handle: [] }],
  ])('is refused where its option "%s" cannot be', async (option, work, options) => {
    declare({});

    await expect(
      resilience.execute('stock', work as () => number, options as never),
    ).rejects.toMatchObject({ code: 'INVALID_RESILIENCE_OPTION', option });
  });

  it('fails with what cannot even be looked at, which is a failure', async () => {
    declare({});
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const hostile = Object.defineProperty({}, 'name', {
      get: () => {
        throw new Error('looked at');
      },
    });
    for (const thrown of [revoked.proxy, hostile]) {
      const seen: unknown[] = [];
      const call = resilience.execute('stock', () => Promise.reject(thrown as Error), {
        fallback: (error) => seen.push(error),
      });
      await expect(call).resolves.toBe(1);
      expect(Object.is(seen[0], thrown)).toBe(true);
    }
  });

  it('ends with its caller, whatever the function does', async () => {
    declare({});
    const gone = new AbortController();
    let seen: AbortSignal | undefined;
    const call = resilience.execute(
      'stock',
      ({ signal }) => {
        seen = signal;
        return never;
      },
      { signal: gone.signal },
    );
    const reason = new Error('gone');
    gone.abort(reason);

    await expect(call).rejects.toBe(reason);
    expect(seen?.reason).toBe(reason);
    const late = answers(1);
    await expect(resilience.execute('stock', late, { signal: gone.signal })).rejects.toBe(reason);
    expect(late.calls).toBe(0);
  });

  it('ends with the term or the lock that it is made under', async () => {
    declare({});
    const lost = new AbortController();
    const fence = { resource: 'lock/a', key: 'a', revision: 1n, token: 1n };
    const call = runOwning('lock', { signal: lost.signal }, fence, () =>
      resilience.execute('stock', () => never),
    );
    lost.abort(down);

    await expect(call).rejects.toBe(down);
  });

  it('ends with the call that it is part of', async () => {
    declare({ timeoutMs: 100 });
    let inner: Promise<unknown> = never;
    const outer = failureOf(
      resilience.execute('stock', () => {
        inner = failureOf(resilience.execute('stock', () => never));
        return never;
      }),
    );
    await settle();
    await clock.advance(100);

    expect(await outer).toBeInstanceOf(ResilienceTimeoutError);
    expect(await inner).toBe(await outer);
  });

  it('is the current one for all that it calls, and for nobody else', async () => {
    declare({});
    const seen = await resilience.execute('stock', async (call) => {
      await Promise.resolve();
      return [call, currentCall()];
    });

    expect(seen[1]).toBe(seen[0]);
    expect(currentCall()).toBeNull();
  });

  it('leaves nothing behind: no timer, and no listener on a signal', async () => {
    declare({ timeoutMs: 1000, hedge: { afterMs: 100 }, retry: {}, bulkhead: { concurrent: 1 } });
    const { signal } = new AbortController();
    await resilience.execute('stock', () => 1, { signal, idempotent: true });

    expect(clock.pending).toBe(0);
    expect(resilience.status('stock').bulkhead).toEqual({ running: 0, waiting: 0, abandoned: 0 });
  });
});

describe('a timeout', () => {
  it('ends an attempt that takes too long, and its signal', async () => {
    declare({ timeoutMs: 100 });
    let seen: AbortSignal | undefined;
    const failure = failureOf(
      resilience.execute('stock', ({ signal }) => {
        seen = signal;
        return never;
      }),
    );
    await clock.advance(100);

    expect(await failure).toMatchObject({
      code: 'RESILIENCE_TIMEOUT',
      statusCode: 504,
      begun: true,
      message: 'A call under the policy "stock" was not answered within 100 ms.',
    });
    expect(seen?.reason).toBe(await failure);
  });

  it('gives a signal that has aborted to who asks for it late', async () => {
    declare({ timeoutMs: 100 });
    let ask: () => AbortSignal | undefined = () => undefined;
    const call = resilience.execute('stock', (context) => {
      ask = () => context.signal;
      return never;
    });
    const failure = failureOf(call);
    await clock.advance(100);

    expect(await failure).toBe(ask()?.reason);
  });

  it('does not hear what fails after it', async () => {
    declare({ timeoutMs: 100 });
    let fail: (error: Error) => void = () => undefined;
    const late = new Promise((_, reject) => (fail = reject));
    const failure = failureOf(resilience.execute('stock', () => late));
    await clock.advance(100);
    fail(down);
    await settle();

    expect(await failure).toBeInstanceOf(ResilienceTimeoutError);
  });
});

describe('a bulkhead', () => {
  it('lets so many run and so many wait, and refuses the next at once', async () => {
    declare({ bulkhead: { concurrent: 2, queue: 1 } });
    const ends: ((value: number) => void)[] = [];
    const work = () => new Promise<number>((resolve) => ends.push(resolve));
    const calls = [1, 2, 3].map(() => resilience.execute('stock', work));
    await settle();

    expect(ends).toHaveLength(2);
    await expect(resilience.execute('stock', work)).rejects.toMatchObject({
      code: 'BULKHEAD_FULL',
      statusCode: 503,
      running: 2,
      waiting: 1,
    });
    ends[0]!(7);
    await expect(calls[0]).resolves.toBe(7);
    await settle();
    expect(ends).toHaveLength(3);
    ends[1]!(8);
    ends[2]!(9);
    expect(await Promise.all(calls)).toEqual([7, 8, 9]);
  });

  it('lets those go that nobody waits for any more', async () => {
    declare({ bulkhead: { concurrent: 1, queue: 1 } });
    void resilience.execute('stock', () => never);
    const gone = new AbortController();
    const work = answers(1);
    const call = failureOf(resilience.execute('stock', work, { signal: gone.signal }));
    await settle();
    gone.abort(down);

    expect(await call).toBe(down);
    expect(resilience.status('stock').bulkhead).toMatchObject({ running: 1, waiting: 0 });
    expect(work.calls).toBe(0);
  });

  it('keeps the place of a call that goes on after its time, and says so', async () => {
    declare({ timeoutMs: 100, bulkhead: { concurrent: 1 } });
    let end: () => void = () => undefined;
    const failure = failureOf(
      resilience.execute('stock', () => new Promise<void>((resolve) => (end = resolve))),
    );
    await clock.advance(100);
    expect(await failure).toBeInstanceOf(ResilienceTimeoutError);

    const full = await failureOf(resilience.execute('stock', () => 1));
    expect(full).toBeInstanceOf(BulkheadFullError);
    expect((full as Error).message).toContain('1 go on although their time is up');
    end();
    await settle();
    await expect(resilience.execute('stock', () => 1)).resolves.toBe(1);
  });

  it('gives new places at once to who waits', async () => {
    declare({ bulkhead: { concurrent: 1, queue: 5 } });
    const work = answers(never);
    for (let i = 0; i < 3; i++) void resilience.execute('stock', work);
    await settle();
    expect(work.calls).toBe(1);
    policies.turn('stock', { bulkhead: { concurrent: 3, queue: 5 } });
    await settle();

    expect(work.calls).toBe(3);
  });
});

describe('a fallback', () => {
  it('stands in for what fails, and for what is refused', async () => {
    declare({ breaker: { failures: 1 } });
    const errors: unknown[] = [];
    const fallback = (error: unknown) => errors.push(error);

    await expect(resilience.execute('stock', answers(down), { fallback })).resolves.toBe(1);
    await expect(resilience.execute('stock', answers(1), { fallback })).resolves.toBe(2);
    expect(errors).toEqual([down, expect.any(BreakerOpenError)]);
  });

  it('does not stand in for an answer, nor for a caller that is gone', async () => {
    declare({});
    const fallback = () => 'instead';
    const missing = Object.assign(new Error('no such item'), { status: 404 });
    await expect(resilience.execute('stock', answers(missing), { fallback })).rejects.toBe(missing);

    const gone = new AbortController();
    const call = resilience.execute('stock', answers(never), { fallback, signal: gone.signal });
    gone.abort(down);
    await expect(call).rejects.toBe(down);
  });

  it('that fails is kept for the log, with both errors', async () => {
    declare({});
    const broken = new Error('broken');
    const fallback = function lastKnown(): never {
      throw broken;
    };
    const failure = await failureOf(resilience.execute('stock', answers(down), { fallback }));

    expect(failure).toBeInstanceOf(FallbackFailedError);
    expect(failure).toMatchObject({
      code: 'FALLBACK_FAILED',
      statusCode: 503,
      fallback: 'lastKnown',
      failure: down,
      cause: broken,
    });
    // It may go to callers outside.
    const told = `${(failure as Error).message} ${JSON.stringify(failure)}`;
    expect(told).toContain('A call under the policy \\"stock\\" failed');
    expect(told).not.toMatch(/lastKnown|broken|down/);
  });

  it('leaves an error to the caller by throwing it', async () => {
    declare({});
    const fallback = (error: unknown): never => {
      throw error;
    };

    await expect(resilience.execute('stock', answers(down), { fallback })).rejects.toBe(down);
  });

  it('that hangs ends with the caller', async () => {
    declare({});
    const gone = new AbortController();
    const options = { fallback: () => never, signal: gone.signal };
    const call = failureOf(resilience.execute('stock', answers(down), options));
    await settle();
    const reason = new Error('gone');
    gone.abort(reason);

    expect(await call).toBe(reason);
  });
});
