import { PROMISES, type PromiseName } from '../check/evidence.js';
import { quantile, seconds } from './quantiles.js';
import type { Column, Report } from './report-data.js';

/** A table of the page, whatever the page is written in. The first cell of each row names it. */
export interface Table {
  readonly title: string;
  /** What must be known to read it. */
  readonly note: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface Cell {
  readonly text: string;
  readonly tone?: 'good' | 'bad' | 'quiet';
}

/** A number that is not there to be had. */
const NONE: Cell = { text: '–', tone: 'quiet' };

export const SYSTEM_TITLES = { ours: 'this library', etcd3: 'plain etcd3' } as const;

export function titleOf({ etcd, system }: Column): string {
  return `${etcd}, ${SYSTEM_TITLES[system]}`;
}

/** Whole numbers with their thousands apart. */
export function whole(count: number): string {
  return count.toLocaleString('en');
}

export function violationsIn({ violations }: Column): number {
  return [...violations.values()].reduce((sum, found) => sum + found.length, 0);
}

export function summaryTable({ columns }: Report): Table {
  const row = (name: string, cellOf: (column: Column) => Cell) => [
    { text: name },
    ...columns.map(cellOf),
  ];
  const count = (name: string, of: (column: Column) => number) =>
    row(name, (column) => ({ text: whole(of(column)) }));
  return {
    title: 'At a glance',
    note: 'An operation is ambiguous if its caller was told that it may have happened or not; a check takes both into account. A stale write was sent on purpose by an owner that had lost what it owned.',
    head: ['', ...columns.map(titleOf)],
    rows: [
      row('Minutes of faults', ({ minutes }) => ({ text: minutes.toFixed(1) })),
      count('Faults that hit', ({ faults }) => sumOf([...faults.values()].map(({ hit }) => hit))),
      count('Operations that succeeded', ({ operations }) => operations.ok),
      count('Operations that failed', ({ operations }) => operations.failed),
      count('Operations that are ambiguous', ({ operations }) => operations.ambiguous),
      count('Acquisitions of locks and leaderships', ({ acquisitions }) => acquisitions),
      count('Events of watches checked', ({ eventsChecked }) => eventsChecked),
      count('Stale writes refused', ({ staleWritesRefused }) => staleWritesRefused),
      row('Violations', (column) => judged(violationsIn(column))),
      row('What too little was seen of', ({ inconclusive }) => judged(inconclusive.length)),
    ],
  };
}

export function promisesTable({ columns }: Report): Table {
  const names = Object.keys(PROMISES) as PromiseName[];
  return {
    title: 'Violations by promise',
    note: 'A dash: the system has nothing of the kind, so nothing was checked.',
    head: ['Promise', ...columns.map(titleOf)],
    rows: names.map((name) => [
      { text: PROMISES[name] },
      ...columns.map(({ violations }) => {
        const found = violations.get(name);
        return found ? judged(found.length) : NONE;
      }),
    ]),
  };
}

export function faultsTable({ columns }: Report): Table {
  return {
    title: 'Faults by kind',
    note: faultsNote(columns),
    head: ['Fault', ...columns.map(titleOf)],
    rows: kindsOf(columns, ({ faults }) => faults).map((kind) => [
      { text: kind },
      ...columns.map(({ faults }) => {
        const hits = faults.get(kind);
        return hits ? { text: `${whole(hits.hit)} / ${whole(hits.begun)}` } : NONE;
      }),
    ]),
  };
}

function faultsNote(columns: readonly Column[]): string {
  const lacks = [...new Set(columns.flatMap((column) => column.lacks))];
  return [
    'Hit / begun. A fault that turned out to have hurt nobody is not counted as a hit.',
    'A dash: it could not happen there, for what the line of etcd or the security of the runs does not have.',
    ...lacks,
  ].join(' ');
}

export function takeOversTable({ columns }: Report): Table {
  return {
    title: 'Take-over times in figures',
    note: 'Median, the time that 95 of 100 do not exceed, the longest, and how many there were.',
    head: ['Fault upon the owner', ...columns.map(titleOf)],
    rows: kindsOf(columns, ({ takeOvers }) => takeOvers).map((kind) => [
      { text: kind },
      ...columns.map(({ takeOvers }) => {
        const times = takeOvers.get(kind);
        if (!times || times.length === 0) return NONE;
        const [p50, p95, most] = [0.5, 0.95, 1].map((share) => seconds(quantile(times, share)));
        return { text: `${p50} · ${p95} · ${most} (${times.length})` };
      }),
    ]),
  };
}

export function mutantsTable({ mutants }: Report): Table {
  return {
    title: 'Mutants',
    note: 'The library with one deliberate fault each. A check that does not notice it is worth nothing.',
    head: ['Mutant', 'What it breaks', 'Caught', 'By', 'Such as'],
    rows: mutants.map(({ name, breaks, caughtBy, line, seeds, seconds: ran }) => [
      { text: `${name} (etcd ${line}, ${Math.round(ran)} s, seed ${seeds.join(', ')})` },
      { text: breaks },
      caughtBy.length > 0 ? { text: 'yes', tone: 'good' } : { text: 'NO', tone: 'bad' },
      { text: caughtBy.map(({ promise }) => PROMISES[promise]).join('; ') },
      { text: caughtBy[0]?.proof ?? '' },
    ]),
  };
}

/** What each work counted, all in one table. */
export function countsTable({ columns }: Report): Table {
  const works = kindsOf(columns, ({ counts }) => counts);
  return {
    title: 'What was counted',
    note: 'Every count of every work, for those who want to know what a run consisted of.',
    head: ['', ...columns.map(titleOf)],
    rows: works.flatMap((work) => {
      const names = kindsOf(columns, ({ counts }) => counts.get(work) ?? new Map<string, number>());
      return names.map((name) => [
        { text: `${work}, ${name}` },
        ...columns.map(({ counts }) => {
          const count = counts.get(work)?.get(name);
          return count === undefined ? NONE : { text: whole(count) };
        }),
      ]);
    }),
  };
}

function kindsOf(
  columns: readonly Column[],
  of: (column: Column) => ReadonlyMap<string, unknown>,
): string[] {
  return [...new Set(columns.flatMap((column) => [...of(column).keys()]))].sort();
}

function judged(count: number): Cell {
  return { text: whole(count), tone: count === 0 ? 'good' : 'bad' };
}

function sumOf(all: readonly number[]): number {
  return all.reduce((sum, one) => sum + one, 0);
}
