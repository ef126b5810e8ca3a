import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { settle, VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { eventLoopMeter } from '../../client/event-loop-meter.js';
import type { ResolvedHealth } from '../registration-options.js';
import { CheckRunner } from './health-check.js';
import { SelfHealth, type SelfWord } from './self-health.js';

const DEFAULTS: ResolvedHealth = {
  checks: {},
  intervalMs: 5000,
  timeoutMs: 2000,
  failures: 3,
  passes: 2,
  maxEventLoopDelayMs: null,
};

describe('what an instance says of its own health', () => {
  let clock: VirtualClock;
  let told: SelfWord[];

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = new VirtualClock();
    told = [];
  });

  function healthOf(options: Partial<ResolvedHealth>, delays: number[] = []): SelfHealth {
    const meter = { take: () => delays.shift() ?? 0, stop: () => undefined };
    const health: SelfHealth = new SelfHealth(
      'The instance',
      { ...DEFAULTS, ...options },
      clock,
      () => told.push(health.word),
      [],
      () => meter,
    );
    health.start();
    return health;
  }

  it('is up at once without checks, and asks nothing', async () => {
    const health = healthOf({});
    expect(health.word).toEqual({ state: 'up', reason: null });
    await clock.advance(60_000);
    expect([told, clock.pending]).toEqual([[], 0]);
  });

  it('follows its checks by the rule, and says which failed and why', async () => {
    const answers = { db: true as unknown, disk: true as unknown };
    const health = healthOf({ checks: { db: () => answers.db, disk: () => answers.disk } });
    expect(health.word).toEqual({ state: 'starting', reason: null });
    await settle();
    expect(health.word.state).toBe('up');
    answers.db = new Promise(() => undefined);
    answers.disk = 'full';
    // Rounds at 5 s, 10 s and 15 s; only the first waits for what hangs.
    await clock.advance(14_999);
    expect(health.word.state).toBe('up');
    await clock.advance(1);
    expect(health.word).toEqual({
      state: 'down',
      reason: '"db" has not answered for 10000 ms; "disk" said "full"',
    });
    // The words of the same failures change with each round: nobody is told again.
    await clock.advance(20_000);
    expect(told).toHaveLength(2);
    answers.disk = true;
    await clock.advance(5000);
    expect(health.word.reason).toMatch(/^"db" has not answered for \d+ ms$/);
    health.stop();
    expect(clock.pending).toBe(0);
  });

  it('warns once of a start that never ends', async () => {
    const warned = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const health = healthOf({ checks: { db: () => 'connected' } });
    await clock.advance(9999);
    expect(warned).not.toHaveBeenCalled();
    await clock.advance(60_000);
    expect(warned.mock.calls.flat()).toEqual([
      'The instance is starting yet and gets no calls until its health checks pass: "db" said "connected".',
    ]);
    health.stop();
    warned.mockRestore();
  });

  it('says why it is starting yet, and comes up with the first pass', async () => {
    let answer: unknown = { status: 'down', message: 'migrating' };
    const health = healthOf({ checks: { db: () => answer } });
    await clock.advance(30_000);
    expect(told).toEqual([{ state: 'starting', reason: '"db" said "down" (migrating)' }]);
    answer = true;
    await clock.advance(5000);
    expect(told.slice(1)).toEqual([{ state: 'up', reason: null }]);
    health.stop();
  });

  it('goes down with its event loop', async () => {
    const delays = [10, 300, 300, 300, 10, 10];
    const health = healthOf({ maxEventLoopDelayMs: 100 }, delays);
    await clock.advance(16_000);
    const reason = '"event loop" was held up for 300 ms, which may be 100 ms';
    expect(health.word).toEqual({ state: 'down', reason });
    await clock.advance(10_000);
    expect(health.word).toEqual({ state: 'up', reason: null });
    health.stop();
  });

  it('takes a check that is added later into account, without starting anew', async () => {
    const health = healthOf({});
    const runner = new CheckRunner('late', () => false, clock);
    health.add(runner);
    await clock.advance(1000);
    expect(health.word.state).toBe('up');
    await clock.advance(10_000);
    expect(health.word).toEqual({ state: 'down', reason: '"late" answered false' });
    health.remove(runner);
    await clock.advance(10_000);
    expect(health.word.state).toBe('up');
    health.stop();
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });

  it('says nothing any more once it was stopped, though a check answers', async () => {
    let answer!: (passed: boolean) => void;
    const health = healthOf({ checks: { db: () => new Promise((resolve) => (answer = resolve)) } });
    health.stop();
    answer(true);
    await settle();
    expect([told, clock.pending]).toEqual([[], 0]);
  });
});

describe('the meter of the event loop', () => {
  it('measures how long it was held up since the last look', async () => {
    const meter = eventLoopMeter();
    const turns = async (ms: number) => {
      const end = performance.now() + ms;
      while (performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await turns(60);
    meter.take();
    await turns(60);
    const end = performance.now() + 300;
    while (performance.now() < end);
    await turns(60);
    expect(meter.take()).toBeGreaterThan(200);
    meter.stop();
  });
});
