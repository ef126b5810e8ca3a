import { describe, expect, it } from 'vitest';
import { InstanceStats } from './instance-stats.js';

describe('the latency of an instance', () => {
  it('doubles with failures that come at once, up to ten seconds', () => {
    const stats = new InstanceStats();
    stats.succeeded(10, 0);
    stats.failed(1, 0);
    expect(stats.latencyMs(0)).toBe(20);
    for (let time = 0; time < 2000; time += 1) stats.failed(1, 0);
    expect(stats.latencyMs(0)).toBe(10_000);
    for (let time = 0; time < 200; time += 1) stats.succeeded(10, 0);
    expect(stats.latencyMs(0)).toBeCloseTo(10, 0);
  });

  it('is not less for a failure of one that takes longer than that', () => {
    const stats = new InstanceStats();
    stats.succeeded(30_000, 0);
    stats.failed(1, 0);
    expect(stats.latencyMs(0)).toBe(30_000);
  });

  it('falls while nothing is asked of it, and hardly while many wait for an answer', () => {
    const stats = new InstanceStats();
    stats.succeeded(10, 0);
    expect(stats.latencyMs(60_000)).toBeLessThan(0.1);
    stats.inFlight = 100;
    expect(stats.latencyMs(60_000)).toBeGreaterThan(9);
    // One that is never answered keeps nobody away for ever.
    stats.inFlight = 1;
    expect(stats.latencyMs(60_000)).toBeLessThan(1);
  });

  it('is that of the last answers, however quick they follow each other', () => {
    const stats = new InstanceStats();
    stats.succeeded(500, 0);
    for (let call = 1; call <= 100; call += 1) stats.succeeded(10, 10 * call);
    expect(stats.latencyMs(1000)).toBeLessThan(12);
  });
});
