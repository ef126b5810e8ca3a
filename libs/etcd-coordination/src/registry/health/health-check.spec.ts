import { describe, expect, it } from 'vitest';
import { settle, VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { CheckRunner, type HealthCheck } from './health-check.js';

const runnerOf = (check: HealthCheck) => {
  const clock = new VirtualClock();
  return { clock, runner: new CheckRunner('db', check, clock) };
};

describe('a health check', () => {
  it.each<[string, HealthCheck, string]>([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
      'failed: boom',
    ],
    ['rejects', () => Promise.reject(new Error('boom')), 'failed: boom'],
    ['answers late with no', async () => Promise.resolve(false), 'answered false'],
    [
      'answers with something that cannot be read',
      () =>
        Object.defineProperty({}, 'status', {
          get: () => {
            throw new Error('hidden');
          },
          enumerable: true,
        }),
      'failed: hidden',
    ],
    [
      'throws something that cannot be read',
      () => {
        throw new Proxy(new Error('x'), {
          get: () => {
            throw new Error('trap');
          },
        });
      },
      'failed with something that cannot be read',
    ],
  ])('that %s has failed, and leaves no timer behind', async (_, check, why) => {
    const { runner, clock } = runnerOf(check);
    expect(await runner.run(1000)).toEqual({ passed: false, why });
    expect(clock.pending).toBe(0);
  });

  it('that hangs never runs twice at a time, and has failed until it settles', async () => {
    let settleCheck!: (answer: boolean) => void;
    let runs = 0;
    const { clock, runner } = runnerOf(() => {
      runs += 1;
      return new Promise((resolve) => (settleCheck = resolve));
    });
    const first = runner.run(1000);
    // Another registration of this process asks meanwhile: one run is enough for both.
    const second = runner.run(2000);
    await clock.advance(1000);
    expect(await first).toEqual({ passed: false, why: 'has not answered for 1000 ms' });
    await clock.advance(4000);
    expect(await second).toMatchObject({ passed: false });
    expect(await runner.run(1000)).toEqual({ passed: false, why: 'has not answered for 5000 ms' });
    expect(runs).toBe(1);
    settleCheck(true);
    await settle();
    const again = runner.run(1000);
    expect(runs).toBe(2);
    settleCheck(true);
    expect(await again).toEqual({ passed: true });
    expect(clock.pending).toBe(0);
  });

  it('is late for each who asks by their own patience', async () => {
    let settleCheck!: (answer: boolean) => void;
    const { clock, runner } = runnerOf(() => new Promise((resolve) => (settleCheck = resolve)));
    const hasty = runner.run(100);
    await clock.advance(100);
    expect(await hasty).toMatchObject({ passed: false });
    const patient = runner.run(2000);
    await clock.advance(900);
    settleCheck(true);
    expect(await patient).toEqual({ passed: true });
    expect(clock.pending).toBe(0);
  });

  it('is waited for no longer than since it began', async () => {
    const { clock, runner } = runnerOf(() => new Promise(() => undefined));
    void runner.run(100);
    await clock.advance(500);
    const patient = runner.run(2000);
    await clock.advance(1500);
    expect(await patient).toEqual({ passed: false, why: 'has not answered for 2000 ms' });
  });
});
