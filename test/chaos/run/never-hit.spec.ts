import { describe, expect, it } from 'vitest';
import { result } from '../report/fixture-results.js';
import { leastIn } from '../works/figures.js';
import { reportOf } from '../report/report-data.js';
import { faultsTable } from '../report/report-tables.js';
import { neverHit } from './never-hit.js';
import type { RunResult } from './run-result.js';

const minutes = (count: number) => count * 60_000;

describe('neverHit', () => {
  const inVain = { 'disk full': { begun: 3, hit: 0 }, 'no space': { begun: 0, hit: 0 } };
  const halves = (faults: RunResult['faults']) => [
    result({ faultMs: minutes(5), faults: inVain }),
    result({ faultMs: minutes(5), options: { seed: 2 }, faults }),
  ];

  it('are kinds that none of several runs hit anybody with, if they are long enough in all', () => {
    expect(neverHit(halves(inVain))).toEqual([
      '"disk full" was begun 6 times in 10 minutes and never hit.',
      '"no space" was begun 0 times in 10 minutes and never hit.',
    ]);
    expect(neverHit(halves(inVain).slice(1))).toEqual([]);
    const hit = { begun: 1, hit: 1 };
    expect(neverHit(halves({ 'disk full': hit, 'no space': hit }))).toEqual([]);
  });

  it('make the page inconclusive, which says what was not to be had', () => {
    const runs = halves(inVain).map((run) => ({ ...run, lacks: ['There is no disk.'] }));
    const report = reportOf(runs);
    expect(report.columns[0]!.inconclusive).toHaveLength(2);
    expect(faultsTable(report).note).toMatch(/There is no disk\.$/);
  });
});

describe('leastIn', () => {
  it('is once at least of what every minute has, and in proportion', () => {
    expect([0.2, 1, 2.5].map((long) => leastIn(1, long))).toEqual([1, 1, 2]);
    expect([0.01, 1].map((long) => leastIn(90, long))).toEqual([1, 90]);
    expect([1, 2].map((long) => leastIn(0.5, long))).toEqual([0, 1]);
    expect(leastIn(0, 30)).toBe(0);
  });
});
