import { describe, expect, it } from 'vitest';
import { HealthChecks, type HealthCheck } from './health-checks.js';

const WELL = { healthy: true, reason: null };

describe('health checks', () => {
  it('are well without one, and when all say so', async () => {
    const checks = new HealthChecks();
    expect(await checks.ask()).toEqual(WELL);
    checks.add('a', () => true);
    checks.add('b', () => Promise.resolve(true));
    expect(await checks.ask()).toEqual(WELL);
  });

  it.each<[string, HealthCheck, string]>([
    ['says no', () => false, 'the health check "x" says no'],
    ['says why', () => 'the queue grows', 'the health check "x" says: the queue grows'],
    ['says why later', () => Promise.resolve('late'), 'the health check "x" says: late'],
    [
      'throws',
      () => {
        throw new Error('boom');
      },
      'the health check "x" failed: boom',
    ],
    ['rejects', () => Promise.reject(new Error('boom')), 'the health check "x" failed: boom'],
    [
      'answers nothing',
      (() => undefined) as unknown as HealthCheck,
      'the health check "x" answered neither true, nor false, nor a reason',
    ],
    [
      'hangs',
      () => new Promise<boolean>(() => undefined),
      'the health check "x" has not answered within 5 ms',
    ],
  ])('are unwell when one %s', async (_what, check, reason) => {
    const checks = new HealthChecks(5);
    checks.add('fine', () => true);
    const remove = checks.add('x', check);
    expect(await checks.ask()).toEqual({ healthy: false, reason });
    remove();
    expect(await checks.ask()).toEqual(WELL);
  });

  it('do not ask one that hangs again, until it has answered', async () => {
    const checks = new HealthChecks(5);
    let calls = 0;
    let answer!: (well: boolean) => void;
    checks.add('slow', () => {
      calls += 1;
      return new Promise<boolean>((resolve) => (answer = resolve));
    });
    await checks.ask();
    await checks.ask();
    expect(calls).toBe(1);
    answer(true);
    await Promise.resolve();
    const next = checks.ask();
    answer(true);
    expect(await next).toEqual(WELL);
  });

  it('refuse what is none', () => {
    const checks = new HealthChecks();
    checks.add('a', () => true);
    for (const [name, check] of [
      ['a', () => true],
      ['', () => true],
      ['b', 'true'],
    ] as [string, HealthCheck][]) {
      expect(() => checks.add(name, check)).toThrow(
        expect.objectContaining({ code: 'INVALID_HEALTH_CHECK' }),
      );
    }
  });
});
