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
import {
  BreakerOpenError,
  BulkheadFullError,
  ResilienceTimeoutError,
} from './resilience.errors.js';

onResilienceStage();

const idempotent = { idempotent: true };

/** Each names two parts that follow each other, the outer one first. */
describe('the order in which the parts of a policy stand around a call', () => {
  it('fallback, retry: it stands in once, for the last attempt', async () => {
    declare({ retry: { attempts: 3 } });
    const errors: unknown[] = [];
    const work = answers(down);
    const call = resilience.execute('stock', work, {
      ...idempotent,
      fallback: (error) => errors.push(error),
    });
    await clock.advance(1000);
    await call;

    expect(work.calls).toBe(3);
    expect(errors).toEqual([down]);
  });

  it('retry, hedge: each attempt may be run a race with, and none while it pauses', async () => {
    declare({ retry: { attempts: 2, initialDelayMs: 100 }, hedge: { afterMs: 50 } });
    const work = answers(down, never, 7);
    const call = resilience.execute('stock', work, idempotent);
    await clock.advance(99);
    expect(work.calls).toBe(1);
    await clock.advance(1);
    expect(work.calls).toBe(2);
    await clock.advance(50);

    await expect(call).resolves.toBe(7);
  });

  it('hedge, breaker: each contender is let in by itself, and counts by itself', async () => {
    declare({ hedge: { afterMs: 50 }, breaker: { failures: 2 } });
    const fails: ((error: Error) => void)[] = [];
    const work = () => new Promise((_, reject) => fails.push(reject));
    const failure = failureOf(resilience.execute('stock', work, idempotent));
    await clock.advance(50);
    for (const fail of fails) fail(down);
    await failure;

    expect(fails).toHaveLength(2);
    expect(resilience.breaker('stock').state).toBe('open');
  });

  it('retry, breaker: each attempt counts, and none gets past it once it is open', async () => {
    declare({ retry: { attempts: 5, minRetriesPerSecond: 10 }, breaker: { failures: 3 } });
    const work = answers(down);
    const failure = failureOf(resilience.execute('stock', work, idempotent));
    await clock.advance(60_000);

    expect(await failure).toBe(down);
    expect(work.calls).toBe(3);
  });

  it('breaker, timeout: what takes too long counts, and who is refused waits for nothing', async () => {
    declare({ breaker: { failures: 1, openMs: 5000 }, timeoutMs: 100 });
    const failure = failureOf(resilience.execute('stock', () => never));
    await clock.advance(100);
    expect(await failure).toBeInstanceOf(ResilienceTimeoutError);

    expect(await failureOf(resilience.execute('stock', () => never))).toBeInstanceOf(
      BreakerOpenError,
    );
  });

  it('retry, timeout: each attempt has the whole time', async () => {
    declare({ retry: { attempts: 2, initialDelayMs: 0 }, timeoutMs: 100 });
    const work = answers(never, never);
    const failure = failureOf(resilience.execute('stock', work, idempotent));
    await clock.advance(199);
    expect(work.calls).toBe(2);
    await clock.advance(1);

    expect(await failure).toBeInstanceOf(ResilienceTimeoutError);
  });

  it('timeout, bulkhead: the wait for a place is part of the time', async () => {
    declare({ timeoutMs: 100, bulkhead: { concurrent: 1, queue: 1 }, breaker: { failures: 1 } });
    const gone = new AbortController();
    void failureOf(resilience.execute('stock', () => never, { signal: gone.signal }));
    gone.abort();
    const work = answers(1);
    const failure = failureOf(resilience.execute('stock', work));
    await clock.advance(100);

    expect(await failure).toMatchObject({ code: 'RESILIENCE_TIMEOUT', begun: false });
    expect(work.calls).toBe(0);
    // Nothing was called, which says nothing of who was to be.
    expect(resilience.breaker('stock').state).toBe('closed');
  });

  it('breaker, bulkhead: who finds no place does not count', async () => {
    declare({ bulkhead: { concurrent: 1 }, breaker: { failures: 1 } });
    void resilience.execute('stock', () => never);
    await settle();

    expect(await failureOf(resilience.execute('stock', () => 1))).toBeInstanceOf(BulkheadFullError);
    expect(resilience.breaker('stock').state).toBe('closed');
  });

  it('retry, bulkhead: an attempt gives its place back before it pauses', async () => {
    declare({ retry: { initialDelayMs: 1000 }, bulkhead: { concurrent: 1 } });
    const call = resilience.execute('stock', answers(down, 7), idempotent);
    await settle();
    await expect(resilience.execute('stock', () => 8)).resolves.toBe(8);
    await clock.advance(1000);

    await expect(call).resolves.toBe(7);
  });
});
