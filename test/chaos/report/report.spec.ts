import { describe, expect, it } from 'vitest';
import { PROMISES } from '../check/evidence.js';
import { mutantNamed } from '../mutants/index.js';
import { clean, locks, manyResults, result } from './fixture-results.js';
import { htmlPage } from './html-page.js';
import { markdownPage, markdownQuote } from './markdown-page.js';
import { reportOf } from './report-data.js';
import { takeOverPlot } from './take-over-plot.js';
import { verdictLines } from './verdict-line.js';

const broken = clean({ 'one-owner': ['Two <owners> | at once.\n    at a.ts'] });

describe('the data of a report', () => {
  it('are sums over the rounds of a line and a system', () => {
    const { columns, versions, startedAt } = reportOf([
      result({ figures: locks(), startedAt: '2026-11-23T03:00:00.000Z' }),
      result({
        options: { seed: 2, security: 'tls' },
        figures: { ...locks(), watched: { counts: { 'events that watches were told': 7 } } },
        faults: { 'kill holder': { begun: 1, hit: 1 }, delay: { begun: 1, hit: 0 } },
        inconclusive: ['There was too little.'],
        violations: broken,
      }),
    ]);
    expect(columns).toHaveLength(1);
    const [column] = columns;
    expect(column).toMatchObject({
      ...{ line: '3.5', system: 'ours', etcd: 'etcd 3.5.30', minutes: 2, seeds: [1, 2] },
      ...{ securities: ['plain', 'tls'], ttlMs: 2000 },
      operations: { ok: 200, failed: 20, ambiguous: 2 },
      ...{ acquisitions: 500, eventsChecked: 7, staleWritesRefused: 8 },
      inconclusive: ['Seed 2: There was too little.'],
    });
    expect([...column!.faults]).toEqual([
      ['delay', { begun: 1, hit: 0 }],
      ['kill holder', { begun: 5, hit: 4 }],
    ]);
    expect(column!.violations.get('one-owner')).toEqual([
      'Seed 2: Two <owners> | at once.\n    at a.ts',
    ]);
    expect(column!.violations.get('tokens')).toEqual([]);
    expect(column!.counts.get('locks')!.get('granted: acquire')).toBe(100);
    expect(startedAt).toBe('2026-11-23T02:00:00.000Z');
    expect(versions).toEqual(['nestjs-etcd-coordination 0.1.0', 'Node 20.20.2', 'etcd 3.5.30']);
  });

  it('stand line by line, this library before plain etcd3', () => {
    const order = reportOf(manyResults()).columns.map(({ etcd, system }) => `${etcd} ${system}`);
    expect(order).toEqual([
      ...['etcd 3.4.23 ours', 'etcd 3.4.23 etcd3', 'etcd 3.5.16 ours', 'etcd 3.5.16 etcd3'],
      ...['etcd 3.5.30 ours', 'etcd 3.5.30 etcd3'],
    ]);
  });

  it('keep mutants apart, and count as caught what breaks the promise that it is about', () => {
    const [promise] = mutantNamed('loss-at-2-ttl').caughtBy;
    const options = { mutant: 'loss-at-2-ttl' };
    const caught = result({ options, violations: clean({ [promise!]: ['It was seen.'] }) });
    const missed = result({ options });
    expect(reportOf([caught]).columns).toEqual([]);
    expect(reportOf([missed, caught]).mutants).toMatchObject([
      { name: 'loss-at-2-ttl', caughtBy: [{ promise, proof: 'It was seen.' }], seconds: 120 },
    ]);
    expect(reportOf([missed]).mutants).toMatchObject([{ caughtBy: [] }]);
  });
});

describe('the verdict of a report', () => {
  const said = (...results: ReturnType<typeof result>[]) => verdictLines(reportOf(results));

  it('says in a sentence what came out', () => {
    expect(said(result())).toEqual([
      {
        good: true,
        text: 'This library kept every promise in 1.0 minutes of faults, 3 of which hit.',
      },
    ]);
    expect(said(result({ violations: broken }))).toEqual([
      { good: false, text: expect.stringContaining('broke a promise 1 times') },
    ]);
    expect(said(result({ inconclusive: ['x'] }))).toEqual([
      { good: false, text: expect.stringContaining('not conclusive') },
    ]);
  });

  it('tells of mutants and of plain etcd3 besides', () => {
    const mutant = result({ options: { mutant: 'loss-at-2-ttl' } });
    const etcd3 = result({ options: { system: 'etcd3' }, violations: broken });
    expect(said(mutant, etcd3)).toEqual([
      { good: false, text: 'Of 1 deliberate faults in it, only 0 were caught.' },
      {
        good: false,
        text: 'Plain etcd3, put through the same, broke a promise 1 times in 1.0 minutes.',
      },
    ]);
  });
});

describe('the page', () => {
  const report = reportOf([
    ...manyResults(),
    result({ violations: broken, figures: locks() }),
    result({ options: { mutant: 'loss-at-2-ttl' } }),
  ]);
  const html = htmlPage(report);
  const markdown = markdownPage(report);

  it('needs nothing from elsewhere, and shows nothing unescaped', () => {
    expect(html).not.toMatch(/<script|<link|<img|url\(|https?:/);
    expect(html).toContain('Two &lt;owners&gt; | at once.');
    expect(html).not.toContain('a.ts');
    expect(markdown).toContain('- Seed 1: Two <owners> | at once.');
  });

  it('has a line for each promise, fault, mutant and seed', () => {
    for (const page of [html, markdown]) {
      for (const text of [...Object.values(PROMISES), 'kill holder', 'loss-at-2-ttl', 'Seeds']) {
        expect(page).toContain(text);
      }
    }
  });

  it('has every tag closed, and tables of one width', () => {
    const open: string[] = [];
    for (const [, end, name, self] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(\/?)>/g)) {
      if (self || name === 'meta') continue;
      if (end) expect(open.pop()).toBe(name);
      else open.push(name!);
    }
    expect(open).toEqual([]);
    for (const table of markdown.split('\n\n').filter((part) => part.startsWith('|'))) {
      const widths = table.split('\n').map((row) => row.split(/(?<!\\)\|/).length);
      expect(new Set(widths).size).toBe(1);
    }
  });

  it('has a quote for the README: verdicts, figures, versions and seeds', () => {
    const quote = markdownQuote(report);
    expect(quote).toContain('- Plain etcd3, put through the same, broke a promise 27 times');
    expect(quote).toContain('| Faults that hit |');
    expect(quote).toMatch(/2026-11-23, nestjs-etcd-coordination 0\.1\.0, .*; seeds 42, 1\.\n$/);
  });

  it('says nothing of what there was not', () => {
    const page = htmlPage(reportOf([]));
    expect(page).not.toMatch(/<table|<svg|NaN|undefined|Infinity/);
    expect(`${html}${markdown}`).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('the plot of take-over times', () => {
  it('has a dot for each, within its frame, and the bound', () => {
    const { columns } = reportOf(manyResults());
    const svg = takeOverPlot(columns);
    const dots = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="3.2"/g)];
    expect(dots).toHaveLength(6 * (40 + 60 + 20 + 30));
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);
    for (const [, x, y] of dots) {
      expect(Number(x)).toBeGreaterThanOrEqual(0);
      expect(Number(x)).toBeLessThanOrEqual(width!);
      expect(Number(y)).toBeLessThanOrEqual(height!);
    }
    expect(svg).toContain('TTL + 0.5 s');
    expect(svg).toMatch(/median 2\.\d\d s/);
  });

  it('is not there without any', () => {
    expect(takeOverPlot(reportOf([result()]).columns)).toBe('');
  });
});
