import { quantile, seconds } from './quantiles.js';
import type { Column } from './report-data.js';
import { SYSTEM_TITLES } from './report-tables.js';
import { escaped } from './escaped.js';
import type { SystemName } from '../systems/system.js';

/** Narrow, so that a telephone need not make the letters too small. */
const WIDTH = 520;
const LEFT = 10;
const RIGHT = 14;
const TOP = 54;
const STRIP = 20;
const LABEL = 20;
const AXIS = 46;

interface Strip {
  readonly system: SystemName;
  readonly times: readonly number[];
}

interface Row {
  readonly kind: string;
  readonly strips: readonly Strip[];
}

/**
 * A strip of dots for each kind of fault upon an owner: how long it took until another process owned the same.
 * The line is where etcd lets go of what a dead owner had, if etcd itself is well. Empty without samples.
 */
export function takeOverPlot(columns: readonly Column[]): string {
  const rows = rowsOf(columns);
  if (rows.length === 0) return '';
  const boundMs = Math.max(...columns.map(({ ttlMs }) => ttlMs)) + 500;
  const longest = Math.max(
    boundMs,
    ...rows.flatMap(({ strips }) => strips.flatMap((s) => s.times)),
  );
  const lastSecond = Math.ceil(longest / 1000 + 0.2);
  const x = (ms: number) => LEFT + (ms / 1000 / lastSecond) * (WIDTH - LEFT - RIGHT);

  const parts: string[] = [];
  let y = TOP;
  for (const { kind, strips } of rows) {
    parts.push(`<text class="kind" x="${LEFT}" y="${y + 14}">${escaped(kind)}</text>`);
    y += LABEL;
    for (const strip of strips) {
      parts.push(stripOf(strip, x, y + STRIP / 2));
      y += STRIP;
    }
    y += 8;
  }
  const bottom = y;
  const height = bottom + AXIS;
  return [
    `<svg class="plot" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Take-over times by fault, in seconds">`,
    legend(rows),
    axis(lastSecond, x, bottom),
    boundLine(boundMs, x, bottom),
    ...parts,
    '</svg>',
  ].join('\n');
}

function stripOf({ system, times }: Strip, x: (ms: number) => number, y: number): string {
  const dots = times.map((ms) => `<circle cx="${x(ms).toFixed(1)}" cy="${y.toFixed(1)}" r="3.2"/>`);
  const median = quantile(times, 0.5);
  const at = x(median).toFixed(1);
  return [
    `<g class="${system}"><title>${SYSTEM_TITLES[system]}: ${times.length} take-overs, median ${seconds(median)}</title>`,
    ...dots,
    `<line class="median" x1="${at}" x2="${at}" y1="${y - 8}" y2="${y + 8}"/></g>`,
  ].join('');
}

function legend(rows: readonly Row[]): string {
  const systems = [...new Set(rows.flatMap(({ strips }) => strips.map(({ system }) => system)))];
  let x = LEFT + 4;
  const entries = systems.map((system) => {
    const entry = `<g class="${system}"><circle cx="${x}" cy="12" r="4"/></g><text x="${x + 9}" y="16">${SYSTEM_TITLES[system]}</text>`;
    x += 105;
    return entry;
  });
  return `${entries.join('')}<line class="median" x1="${x}" x2="${x}" y1="5" y2="19"/><text x="${x + 8}" y="16">median</text>`;
}

function axis(lastSecond: number, x: (ms: number) => number, bottom: number): string {
  const step = [1, 2, 5, 10, 20, 50, 100].find((each) => lastSecond / each <= 10) ?? 200;
  const ticks: string[] = [];
  for (let second = 0; second <= lastSecond; second += step) {
    const at = x(second * 1000).toFixed(1);
    ticks.push(
      `<line class="grid" x1="${at}" x2="${at}" y1="${TOP - 4}" y2="${bottom}"/>`,
      `<text class="tick" x="${at}" y="${bottom + 16}">${second}</text>`,
    );
  }
  const middle = (WIDTH + LEFT - RIGHT) / 2;
  return `${ticks.join('')}<text class="tick" x="${middle}" y="${bottom + 36}">seconds from the fault until another process owns the same</text>`;
}

function boundLine(boundMs: number, x: (ms: number) => number, bottom: number): string {
  const at = x(boundMs).toFixed(1);
  return `<line class="bound" x1="${at}" x2="${at}" y1="${TOP - 8}" y2="${bottom}"/><text class="bound-label" x="${at}" y="${TOP - 12}">TTL + 0.5 s</text>`;
}

function rowsOf(columns: readonly Column[]): Row[] {
  const kinds = [...new Set(columns.flatMap(({ takeOvers }) => [...takeOvers.keys()]))].sort();
  const systems = [...new Set(columns.map(({ system }) => system))];
  const timesOf = (kind: string, of: SystemName) =>
    columns.flatMap(({ system, takeOvers }) => (system === of ? (takeOvers.get(kind) ?? []) : []));
  return kinds.flatMap((kind) => {
    const strips = systems
      .map((system) => ({ system, times: timesOf(kind, system) }))
      .filter(({ times }) => times.length > 0);
    return strips.length > 0 ? [{ kind, strips }] : [];
  });
}
