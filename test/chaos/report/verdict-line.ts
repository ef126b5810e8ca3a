import type { Column, Report } from './report-data.js';
import { violationsIn, whole } from './report-tables.js';

export interface VerdictLine {
  readonly good: boolean;
  readonly text: string;
}

/** The sentences that say it all: this library first, then what its deliberate faults and plain etcd3 came to. */
export function verdictLines(report: Report): VerdictLine[] {
  const ours = report.columns.filter(({ system }) => system === 'ours');
  const etcd3 = report.columns.filter(({ system }) => system === 'etcd3');
  return [
    ...(ours.length > 0 ? [verdictOnOurs(ours)] : []),
    ...(report.mutants.length > 0 ? [verdictOnMutants(report)] : []),
    ...(etcd3.length > 0 ? [verdictOnEtcd3(etcd3)] : []),
  ];
}

function verdictOnOurs(columns: readonly Column[]): VerdictLine {
  const violations = sumOf(columns, violationsIn);
  const hits = sumOf(columns, hitsIn);
  const during = `in ${minutesOf(columns)} of faults, ${whole(hits)} of which hit`;
  const doubts = sumOf(columns, ({ inconclusive }) => inconclusive.length);
  if (violations > 0) {
    const text = `This library broke a promise ${whole(violations)} times ${during}.`;
    return { good: false, text };
  }
  return doubts === 0
    ? { good: true, text: `This library kept every promise ${during}.` }
    : {
        good: false,
        text: `No violation was found ${during}, but that is not conclusive: too little was seen of ${whole(doubts)} things.`,
      };
}

function verdictOnMutants({ mutants }: Report): VerdictLine {
  const caught = mutants.filter(({ caughtBy }) => caughtBy.length > 0).length;
  const all = `${whole(mutants.length)} deliberate faults in it`;
  return caught === mutants.length
    ? { good: true, text: `All of ${all} were caught.` }
    : { good: false, text: `Of ${all}, only ${whole(caught)} were caught.` };
}

function verdictOnEtcd3(columns: readonly Column[]): VerdictLine {
  const violations = sumOf(columns, violationsIn);
  return {
    good: violations === 0,
    text: `Plain etcd3, put through the same, broke a promise ${whole(violations)} times in ${minutesOf(columns)}.`,
  };
}

export function hitsIn({ faults }: Column): number {
  return [...faults.values()].reduce((sum, { hit }) => sum + hit, 0);
}

function minutesOf(columns: readonly Column[]): string {
  const minutes = sumOf(columns, (column) => column.minutes);
  return `${minutes < 10 ? minutes.toFixed(1) : Math.round(minutes)} minutes`;
}

function sumOf(columns: readonly Column[], of: (column: Column) => number): number {
  return columns.reduce((sum, column) => sum + of(column), 0);
}
