import { PROMISES } from '../check/evidence.js';
import { firstLine, SHOWN } from './html-page.js';
import type { Column, Report } from './report-data.js';
import {
  countsTable,
  faultsTable,
  mutantsTable,
  promisesTable,
  summaryTable,
  type Table,
  takeOversTable,
  titleOf,
} from './report-tables.js';
import { verdictLines } from './verdict-line.js';

/** The page for whoever reads it beside code. */
export function markdownPage(report: Report): string {
  const { columns, mutants, startedAt, versions } = report;
  return `${[
    '# Chaos',
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC · ${versions.join(' · ')}`,
    verdictLines(report)
      .map(({ good, text }) => `- ${good ? '✓' : '✗'} ${text}`)
      .join('\n'),
    ...(columns.length > 0 ? [summaryTable(report), promisesTable(report)].map(section) : []),
    ...(takeOversTable(report).rows.length > 0 ? [section(takeOversTable(report))] : []),
    ...(mutants.length > 0 ? [section(mutantsTable(report))] : []),
    ...columns.flatMap(findings),
    ...(columns.length > 0 ? [faultsTable(report), countsTable(report)].map(section) : []),
    ...(columns.length > 0 ? [seeds(columns)] : []),
  ].join('\n\n')}\n`;
}

/** What the README quotes: the verdicts, the figures, and where they come from. */
export function markdownQuote(report: Report): string {
  const seeds = [...new Set(report.columns.flatMap((column) => column.seeds))];
  return `${[
    list(verdictLines(report).map(({ text }) => text)),
    markdownTable(summaryTable(report)),
    `${report.startedAt.slice(0, 10)}, ${report.versions.join(', ')}; seeds ${seeds.join(', ')}.`,
  ].join('\n\n')}\n`;
}

function markdownTable({ head, rows }: Table): string {
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '---:'))];
  return [...lines, ...rows.map((row) => row.map(({ text }) => text))]
    .map((cells) => `| ${cells.map(inCell).join(' | ')} |`)
    .join('\n');
}

function section(shown: Table): string {
  return `## ${shown.title}\n\n${shown.note}\n\n${markdownTable(shown)}`;
}

function findings(column: Column): string[] {
  const found = [...column.violations].flatMap(([promise, all]) =>
    all.length === 0
      ? []
      : [
          `### ${PROMISES[promise]}`,
          list([
            ...all.slice(0, SHOWN),
            ...(all.length > SHOWN ? [`and ${all.length - SHOWN} more`] : []),
          ]),
        ],
  );
  const { inconclusive } = column;
  const doubts = inconclusive.length === 0 ? [] : ['### Inconclusive', list(inconclusive)];
  if (found.length + doubts.length === 0) return [];
  return [`## Found: ${titleOf(column)}`, ...found, ...doubts];
}

function seeds(columns: readonly Column[]): string {
  const lines = columns.map(
    (column) => `${titleOf(column)}: ${column.seeds.join(', ')} (${column.securities.join(', ')})`,
  );
  return `## Seeds\n\n${list(lines)}`;
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${firstLine(line)}`).join('\n');
}

function inCell(text: string): string {
  return firstLine(text).replaceAll('|', '\\|');
}
