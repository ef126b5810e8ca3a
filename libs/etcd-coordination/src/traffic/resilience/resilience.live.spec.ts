import { Logger } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { failureOf } from '../../../../../test/support/failure-of.js';
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

onResilienceStage();

describe('numbers that are turned', () => {
  it('go for the next call, and what has begun goes on by its own', async () => {
    declare({ timeoutMs: 100 });
    const early = failureOf(resilience.execute('stock', () => never));
    policies.turn('stock', { timeoutMs: 500 });
    const late = failureOf(resilience.execute('stock', () => never));
    await clock.advance(100);

    expect(await early).toMatchObject({ timeoutMs: 100 });
    await clock.advance(400);
    expect(await late).toMatchObject({ timeoutMs: 500 });
  });

  it('of other parts leave the breaker as it is', async () => {
    declare({ breaker: { failures: 2 } });
    await failureOf(resilience.execute('stock', answers(down)));
    policies.turn('stock', { breaker: { failures: 2 }, timeoutMs: 100 });
    await failureOf(resilience.execute('stock', answers(down)));
    expect(resilience.breaker('stock').state).toBe('open');
    policies.turn('stock', { breaker: { failures: 2 }, retry: {} });

    expect(resilience.breaker('stock').state).toBe('open');
  });

  it('that take the breaker away close it', async () => {
    declare({ breaker: { failures: 1 } });
    const states: string[] = [];
    resilience.breaker$('stock').subscribe(({ state }) => states.push(state));
    await failureOf(resilience.execute('stock', answers(down)));
    policies.turn('stock', {});

    await expect(resilience.execute('stock', () => 1)).resolves.toBe(1);
    expect(states).toEqual(['closed', 'open', 'closed']);
  });
});

describe('what is seen of a breaker', () => {
  it('is how it stands, and each change', async () => {
    declare({ breaker: { failures: 1, openMs: 1000 } });
    const states: string[] = [];
    let isComplete = false;
    resilience.breaker$('stock').subscribe({
      next: ({ state }) => states.push(state),
      complete: () => (isComplete = true),
    });
    await failureOf(resilience.execute('stock', answers(down)));
    clock.freeze(1000);
    await resilience.execute('stock', () => 1);
    expect(resilience.isolate('stock')).toBe(true);
    expect(await failureOf(resilience.execute('stock', () => 1))).toMatchObject({
      state: 'isolated',
    });
    resilience.release('stock');
    resilience.close();

    expect(states).toEqual(['closed', 'open', 'half-open', 'closed', 'isolated', 'closed']);
    expect(isComplete).toBe(true);
  });

  it('is not hurt by a subscriber that throws', async () => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    declare({ breaker: { failures: 1 } });
    const states: string[] = [];
    resilience.breaker$('stock').subscribe(() => {
      throw new Error('a subscriber that throws');
    });
    resilience.breaker$('stock').subscribe(({ state }) => states.push(state));
    await failureOf(resilience.execute('stock', answers(down)));

    expect(states).toEqual(['closed', 'open']);
    expect(logged.mock.calls.map(([line]) => String(line))).toEqual(
      ['first', 'second'].map(() => expect.stringContaining('"stock" threw') as string),
    );
    logged.mockRestore();
  });

  it('is as it stands when somebody begins to look', async () => {
    declare({ breaker: { failures: 1, openMs: 1000 } });
    const seen: (number | null)[] = [];
    await failureOf(resilience.execute('stock', answers(down)));
    clock.freeze(400);
    resilience.breaker$('stock').subscribe(({ retryAfterMs }) => seen.push(retryAfterMs));
    clock.freeze(400);
    resilience.close();
    resilience.breaker$('stock').subscribe(({ retryAfterMs }) => seen.push(retryAfterMs));

    expect(seen).toEqual([600, 200]);
  });

  it('completes for a policy that is used first when all is closed, and its calls are made', async () => {
    declare({ breaker: {} });
    resilience.close();

    await expect(resilience.execute('stock', () => 1)).resolves.toBe(1);
    let isComplete = false;
    resilience.breaker$('stock').subscribe({ complete: () => (isComplete = true) });
    expect(isComplete).toBe(true);
  });

  it('is closed where there is none, which cannot be isolated', () => {
    declare({});

    expect(resilience.breaker('stock').state).toBe('closed');
    expect(resilience.isolate('stock')).toBe(false);
  });
});
