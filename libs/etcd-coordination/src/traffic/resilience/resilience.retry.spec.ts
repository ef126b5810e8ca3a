import { describe, expect, it } from 'vitest';
import { failureOf } from '../../../../../test/support/failure-of.js';
import {
  answers,
  clock,
  declare,
  down,
  never,
  onResilienceStage,
  resilience,
} from '../../../../../test/support/resilience-stage.js';
import { settle } from '../../../../../test/support/virtual-clock.js';
import { BreakerOpenError } from './resilience.errors.js';

onResilienceStage();

const idempotent = { idempotent: true };
const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', syscall: 'connect' });

describe('retries', () => {
  it('make a call again until it is answered, after pauses that double', async () => {
    declare({ retry: { attempts: 3, initialDelayMs: 100 } });
    const work = answers(down, down, 7);
    const call = resilience.execute('stock', work, idempotent);
    await clock.advance(99);
    expect(work.calls).toBe(1);
    await clock.advance(1);
    expect(work.calls).toBe(2);
    await clock.advance(199);
    expect(work.calls).toBe(2);
    await clock.advance(1);

    await expect(call).resolves.toBe(7);
    expect(work.calls).toBe(3);
  });

  it('end with the last error when all attempts are made', async () => {
    declare({ retry: { attempts: 2, minRetriesPerSecond: 10 } });
    const last = new Error('still down');
    const work = answers(down, last);
    const failure = failureOf(resilience.execute('stock', work, idempotent));
    await clock.advance(1000);

    expect(await failure).toBe(last);
    expect(work.calls).toBe(2);
  });

  it('are not for calls that may have been applied, and must not be twice', async () => {
    declare({ retry: {} });
    const work = answers(down, 7);

    await expect(resilience.execute('stock', work)).rejects.toBe(down);
    expect(work.calls).toBe(1);
  });

  it('are for such calls as well where they have reached nobody', async () => {
    declare({ retry: {} });
    const work = answers(refused, 7);
    const call = resilience.execute('stock', work);
    await clock.advance(1000);

    await expect(call).resolves.toBe(7);
  });

  it('are not for what the dependency has answered', async () => {
    declare({ retry: {} });
    const missing = Object.assign(new Error('no such item'), { status: 404 });
    const work = answers(missing, 7);

    await expect(resilience.execute('stock', work, idempotent)).rejects.toBe(missing);
    expect(work.calls).toBe(1);
  });

  it('are for what "handle" calls a failure, and for nothing else', async () => {
    declare({ retry: {} });
    const busy = Object.assign(new Error('busy'), { status: 409 });
    const handle = (error: unknown) => error === busy;
    const first = resilience.execute('stock', answers(busy, 7), { ...idempotent, handle });
    await clock.advance(1000);
    await expect(first).resolves.toBe(7);

    const second = resilience.execute('stock', answers(down, 7), { ...idempotent, handle });
    await expect(second).rejects.toBe(down);
  });

  it('go by what errors are where "handle" throws or answers nonsense', async () => {
    declare({ retry: { minRetriesPerSecond: 10 } });
    for (const handle of [
      () => {
        throw new Error('broken');
      },
      () => 'yes' as never,
    ]) {
      const call = resilience.execute('stock', answers(down, 7), { ...idempotent, handle });
      await clock.advance(1000);
      await expect(call).resolves.toBe(7);
    }
  });

  it('share one budget: what it does not allow fails with its own error at once', async () => {
    declare({ retry: { budget: 0, minRetriesPerSecond: 0.5 } });
    const works = [answers(down, 7), answers(down, 7)];
    const calls = works.map((work) => failureOf(resilience.execute('stock', work, idempotent)));
    await clock.advance(0);
    expect(await calls[1]).toBe(down);
    await clock.advance(100);

    expect(await calls[0]).toBeUndefined();
    expect(works.map((work) => work.calls)).toEqual([2, 1]);
  });

  it('are spared where the breaker has opened meanwhile', async () => {
    declare({ retry: {}, breaker: { failures: 1 } });
    const work = answers(down);
    const failure = failureOf(resilience.execute('stock', work, idempotent));
    await settle();

    expect(await failure).toBe(down);
    expect(await failureOf(resilience.execute('stock', work, idempotent))).toBeInstanceOf(
      BreakerOpenError,
    );
    expect(work.calls).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('that are refused end with the error of the attempt that was made', async () => {
    declare({ retry: {}, breaker: { failures: 2 } });
    const failure = failureOf(resilience.execute('stock', answers(down, 7), idempotent));
    await settle();
    await failureOf(resilience.execute('stock', answers(down)));
    expect(resilience.breaker('stock').state).toBe('open');
    await clock.advance(100);

    expect(await failure).toBe(down);
  });

  it('end with the caller, in a pause as well', async () => {
    declare({ retry: { initialDelayMs: 1000 } });
    const gone = new AbortController();
    const work = answers(down, 7);
    const call = resilience.execute('stock', work, { ...idempotent, signal: gone.signal });
    const failure = failureOf(call);
    await settle();
    expect(clock.pending).toBe(1);
    gone.abort(new Error('gone'));

    expect(await failure).toMatchObject({ message: 'gone' });
    await clock.advance(5000);
    expect(work.calls).toBe(1);
  });

  it('tell the function which attempt it makes', async () => {
    declare({ retry: {} });
    const attempts: number[] = [];
    const call = resilience.execute(
      'stock',
      ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw down;
      },
      idempotent,
    );
    await clock.advance(1000);
    await call;

    expect(attempts).toEqual([1, 2, 3]);
  });
});

describe('a hedge', () => {
  it('runs a race with an attempt that is slow, and the first answer wins', async () => {
    declare({ hedge: { afterMs: 50 } });
    const signals: AbortSignal[] = [];
    const call = resilience.execute(
      'stock',
      ({ signal, attempt }) => {
        signals.push(signal);
        return attempt === 1 ? never : 'second';
      },
      idempotent,
    );
    await clock.advance(49);
    expect(signals).toHaveLength(1);
    await clock.advance(1);

    await expect(call).resolves.toBe('second');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(clock.pending).toBe(0);
  });

  it('is not for calls that must not be applied twice, nor for those that are fast', async () => {
    declare({ hedge: { afterMs: 50 } });
    const slow = answers(never);
    void resilience.execute('stock', slow);
    const fast = answers(1);
    await resilience.execute('stock', fast, idempotent);
    await clock.advance(1000);

    expect([slow.calls, fast.calls]).toEqual([1, 1]);
  });

  it('takes part in the budget', async () => {
    declare({ retry: { attempts: 1, budget: 0, minRetriesPerSecond: 0 }, hedge: { afterMs: 50 } });
    const work = answers(never);
    void resilience.execute('stock', work, idempotent);
    await clock.advance(1000);

    expect(work.calls).toBe(1);
  });

  it('does not let one that fails end the race', async () => {
    declare({ hedge: { afterMs: 50 } });
    let answer: (value: string) => void = () => undefined;
    const slow = new Promise<string>((resolve) => (answer = resolve));
    const call = resilience.execute('stock', answers(slow, down), idempotent);
    await clock.advance(50);
    answer('first');

    await expect(call).resolves.toBe('first');
  });

  it('fails with what was made, and not with what was refused', async () => {
    declare({ hedge: { afterMs: 50 }, bulkhead: { concurrent: 1 } });
    let fail: (error: Error) => void = () => undefined;
    const slow = new Promise<string>((_, reject) => (fail = reject));
    const failure = failureOf(resilience.execute('stock', () => slow, idempotent));
    await clock.advance(50);
    fail(down);

    expect(await failure).toBe(down);
  });

  it('gives the answer that the dependency has said no with', async () => {
    declare({ hedge: { afterMs: 50 } });
    const missing = Object.assign(new Error('no such item'), { status: 404 });
    const failure = failureOf(resilience.execute('stock', answers(never, missing), idempotent));
    await clock.advance(50);

    expect(await failure).toBe(missing);
  });

  it('counts for the breaker only where it was made to its end', async () => {
    declare({ hedge: { afterMs: 50 }, breaker: { failures: 1 } });
    const call = resilience.execute('stock', answers(never, 'second'), idempotent);
    await clock.advance(50);
    await call;

    expect(resilience.breaker('stock').state).toBe('closed');
  });
});
