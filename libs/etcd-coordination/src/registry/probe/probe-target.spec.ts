import { beforeEach, describe, expect, it } from 'vitest';
import { settle, VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { Turnstile } from '../../watch/turnstile.js';
import { UP_GATE } from '../health/health-gate.js';
import type { ProbeSpec } from '../service-instance.js';
import type { ProbeAim } from './probe.js';
import { ProbeTarget } from './probe-target.js';

const SPEC: ProbeSpec = {
  kind: 'http',
  port: null,
  target: '/health',
  intervalMs: 1000,
  timeoutMs: 200,
  failures: 3,
  passes: 2,
};
const AIM: ProbeAim = { host: '::1', port: 80, spec: SPEC, secure: false };
const never = () => new Promise<never>(() => undefined);

describe('a target', () => {
  let clock: VirtualClock;
  let random: number;
  /** When each probe began. */
  let begun: number[];
  let moves: string[];
  let signals: AbortSignal[];
  let answer: () => Promise<string | null>;

  beforeEach(() => {
    clock = new VirtualClock(0);
    random = 0.5;
    [begun, moves, signals] = [[], [], []];
    answer = async () => null;
  });

  function probing(some: Partial<ProbeSpec> = {}, turnstile = new Turnstile(64)) {
    const target: ProbeTarget = new ProbeTarget(
      { ...AIM, spec: { ...SPEC, ...some } },
      UP_GATE,
      {
        clock,
        random: () => random,
        probe: (_, signal) => {
          begun.push(clock.now());
          signals.push(signal);
          return answer();
        },
        inTurn: (work) => turnstile.pass(work),
      },
      (moved) => moved && moves.push(target.gate.state),
    );
    target.start();
    return target;
  }

  it('is asked within its first interval, and then at every interval', async () => {
    probing();
    await clock.advance(3600);
    expect(begun).toEqual([500, 1500, 2500, 3500]);
    expect(moves).toEqual([]);
  });

  it.each([
    [0, [0, 900, 1800]],
    [0.999, [999, 2098.8, 3198.6]],
  ])('is asked a tenth earlier or later (%d)', async (drawn, expected) => {
    random = drawn;
    probing();
    await clock.advance(3200);
    expect(begun.slice(0, 3).map((at) => Math.round(at * 10) / 10)).toEqual(expected);
  });

  it('is asked ten times a second at the most', async () => {
    probing({ intervalMs: 1 });
    await clock.advance(1000);
    expect(begun).toHaveLength(10);
  });

  it('goes down after its failures in a row and up after its passes, not before', async () => {
    const answers = ['x', 'x', null, 'x', 'y', 'answered 503', null, 'x', null, null];
    answer = async () => answers.shift() ?? null;
    const target = probing();
    await clock.advance(5000);
    expect(moves).toEqual([]);
    await clock.advance(1000);
    expect(moves).toEqual(['down']);
    expect(target.reason).toBe(
      'The http probe of [::1]:80/health failed 3 times in a row: answered 503',
    );
    await clock.advance(3000);
    expect(moves).toEqual(['down']);
    await clock.advance(1000);
    expect(moves).toEqual(['down', 'up']);
  });

  it('fails if it does not answer in time, and is not asked again before that', async () => {
    answer = never;
    const target = probing({ intervalMs: 100, failures: 2 });
    await clock.advance(249);
    expect([begun, signals[0]!.aborted]).toEqual([[50], false]);
    await clock.advance(1);
    expect(signals[0]!.aborted).toBe(true);
    await clock.advance(250);
    expect(begun.slice(0, 2)).toEqual([50, 250]);
    expect(moves).toEqual(['down']);
    expect(target.reason).toMatch(/2 times in a row: no answer within 200 ms$/);
  });

  it('is no worse for a time in which this process was held up', async () => {
    answer = never;
    probing({ failures: 1 });
    await clock.advance(500);
    answer = async () => null;
    clock.freeze(1000);
    await clock.advance(0);
    expect([signals[0]!.aborted, moves]).toEqual([true, []]);
    await clock.advance(3000);
    expect(begun.length).toBeGreaterThan(3);
    expect(moves).toEqual([]);
  });

  it('fails by a probe that throws or rejects', async () => {
    answer = () => Promise.reject(new Error('a fault of ours'));
    const target = probing({ failures: 1 });
    await clock.advance(500);
    expect(target.reason).toMatch(/failed: Error: a fault of ours/);
  });

  it('is asked only when it is its turn, and has its whole time from then on', async () => {
    const turnstile = new Turnstile(1);
    let leave: () => void = () => undefined;
    void turnstile.pass(() => new Promise<void>((resolve) => (leave = resolve)));
    probing({}, turnstile);
    await clock.advance(5000);
    expect(begun).toEqual([]);
    leave();
    await settle();
    expect(begun).toEqual([5000]);
    expect(moves).toEqual([]);
  });

  it('is told of no more once it is stopped, and leaves no timer', async () => {
    answer = never;
    const target = probing({ failures: 1 });
    await clock.advance(500);
    target.stop();
    await settle();
    expect([signals[0]!.aborted, clock.pending, moves]).toEqual([true, 0, []]);
  });
});
