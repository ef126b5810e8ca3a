import { describe, expect, it } from 'vitest';
import {
  clock,
  declare,
  down,
  onResilienceStage,
  resilience,
} from '../../../../../test/support/resilience-stage.js';
import type { PolicyOptions } from './policy.js';
import { BreakerOpenError } from './resilience.errors.js';

onResilienceStage();

const RATE_PER_SECOND = 100;
const LATENCY_MS = 5;
const HEALTHY_MS = 2000;
const OUTAGE_MS = 10_000;

/** What became of one request. */
interface Outcome {
  readonly atMs: number;
  readonly tookMs: number;
  readonly error: unknown;
}

/** One call that came to the dependency. */
interface Call {
  readonly atMs: number;
  running: number;
}

/** Load of so many requests a second on a dependency that fails from its 2nd second to its 12th. */
async function underLoad(policy: PolicyOptions): Promise<{ outcomes: Outcome[]; calls: Call[] }> {
  declare(policy);
  const begin = clock.now();
  const outcomes: Outcome[] = [];
  const calls: Call[] = [];
  let running = 0;
  const elapsed = () => clock.now() - begin;
  const isDown = () => elapsed() >= HEALTHY_MS && elapsed() < HEALTHY_MS + OUTAGE_MS;
  const dependency = async () => {
    running += 1;
    calls.push({ atMs: elapsed(), running });
    await new Promise<void>((resolve) => clock.setTimer(resolve, LATENCY_MS));
    running -= 1;
    if (isDown()) throw down;
  };
  const requested: Promise<void>[] = [];
  const request = async () => {
    const atMs = elapsed();
    const call = resilience.execute('stock', dependency, { idempotent: true });
    const error = await call.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    outcomes.push({ atMs, tookMs: elapsed() - atMs, error });
  };
  while (elapsed() < HEALTHY_MS + OUTAGE_MS + 5000) {
    requested.push(request());
    await clock.advance(1000 / RATE_PER_SECOND);
  }
  await clock.advance(60_000);
  await Promise.all(requested);
  return { outcomes, calls };
}

const inOutage = ({ atMs }: { readonly atMs: number }) =>
  atMs >= HEALTHY_MS && atMs < HEALTHY_MS + OUTAGE_MS;

describe('a dependency that fails for 10 s under load', () => {
  it('is called less than 1.2 times as often as asked for, without a breaker, too', async () => {
    const { outcomes, calls } = await underLoad({ retry: {} });
    const asked = outcomes.filter(inOutage).length;
    const made = calls.filter(inOutage).length;

    expect(asked).toBe((RATE_PER_SECOND * OUTAGE_MS) / 1000);
    expect(made).toBeGreaterThan(asked);
    expect(made).toBeLessThan(1.2 * asked);
  });

  it('would be called three times as often without the budget', async () => {
    const { outcomes, calls } = await underLoad({
      retry: { budget: 1, minRetriesPerSecond: 1000 },
    });

    expect(calls.filter(inOutage).length).toBeGreaterThan(2.5 * outcomes.filter(inOutage).length);
  });

  it('has its breaker open within its rule: calls are refused at once, but one each time on trial', async () => {
    const openMs = 1000;
    const { outcomes, calls } = await underLoad({
      retry: {},
      breaker: { failures: 5, openMs, halfOpenCalls: 1 },
      timeoutMs: 1000,
    });
    const failed = outcomes.filter(({ error }) => error === down);
    const refused = outcomes.filter(({ error }) => error instanceof BreakerOpenError);
    const firstRefusal = Math.min(...refused.map(({ atMs }) => atMs));

    // Five failures in a row, 10 ms from each other.
    expect(firstRefusal - HEALTHY_MS).toBeLessThanOrEqual(100);
    expect(refused.filter(({ tookMs }) => tookMs >= 1)).toEqual([]);
    expect(refused.length).toBeGreaterThan(900);
    // Those that opened it, and then one on trial for each second.
    expect(failed.length).toBeLessThan(5 + OUTAGE_MS / openMs + 5);
    const onTrial = calls.filter(({ atMs }) => atMs > firstRefusal + 50 && inOutage({ atMs }));
    expect(onTrial.length).toBeLessThanOrEqual(OUTAGE_MS / openMs);
    expect(onTrial.filter(({ running }) => running > 1)).toEqual([]);
  });

  it('is asked again as its half-open rule says, and then by all', async () => {
    const openMs = 1000;
    const { outcomes } = await underLoad({ breaker: { failures: 5, openMs, halfOpenCalls: 3 } });
    const end = HEALTHY_MS + OUTAGE_MS;
    const after = outcomes.filter(({ atMs }) => atMs >= end + openMs + 100);

    expect(after.length).toBeGreaterThan(300);
    expect(after.filter(({ error }) => error !== undefined)).toEqual([]);
  });
});
