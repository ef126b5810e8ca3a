import { PROMISES, type PromiseName } from '../check/evidence.js';
import { escaped } from './escaped.js';
import { STYLE } from './page-style.js';
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
import { takeOverPlot } from './take-over-plot.js';
import { verdictLines } from './verdict-line.js';

/** Of what was found against one promise, so many are shown. */
export const SHOWN = 5;

/** A page that needs nothing from elsewhere: to be sent around, read on a telephone, and printed. */
export function htmlPage(report: Report): string {
  const { columns, mutants } = report;
  const plot = takeOverPlot(columns);
  const sections = [
    ...(columns.length > 0 ? [table(summaryTable(report)), table(promisesTable(report))] : []),
    ...(plot === ''
      ? []
      : [
          section(
            'Take-over times',
            'From a fault upon an owner of a lock or a leadership until another process owned the same. The line is where etcd lets go of what a dead owner had; faults of etcd itself, which go on at the same time, may add to it.',
            `${plot}${tableOnly(takeOversTable(report))}`,
          ),
        ]),
    ...(mutants.length > 0 ? [table(mutantsTable(report))] : []),
    ...columns.map(findings),
    ...(columns.length > 0 ? [table(faultsTable(report)), folded(countsTable(report))] : []),
    seeds(report),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Chaos, ${escaped(report.startedAt.slice(0, 10))}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Chaos</h1>
<p class="quiet">${escaped(report.startedAt.slice(0, 16).replace('T', ' '))} UTC · ${report.versions.map(escaped).join(' · ')}</p>
${verdictLines(report)
  .map(({ good, text }) => `<p class="verdict ${good ? 'good' : 'bad'}">${escaped(text)}</p>`)
  .join('\n')}
${sections.join('\n')}
</main>
</body>
</html>
`;
}

function section(title: string, note: string, content: string): string {
  return `<section><h2>${escaped(title)}</h2><p class="quiet">${escaped(note)}</p>${content}</section>`;
}

function table(shown: Table): string {
  return section(shown.title, shown.note, tableOnly(shown));
}

function folded(shown: Table): string {
  return `<section><details><summary><h2>${escaped(shown.title)}</h2></summary><p class="quiet">${escaped(shown.note)}</p>${tableOnly(shown)}</details></section>`;
}

function tableOnly({ head, rows }: Table): string {
  const inWords = head.map((_, index) => rows.some((row) => isWords(row[index]?.text ?? '')));
  const header = head.map((text, index) => {
    const kind = index > 0 && inWords[index] ? ' class="words"' : '';
    return `<th scope="col"${kind}>${escaped(text)}</th>`;
  });
  const body = rows.map(([first, ...rest]) => {
    const cells = rest.map(({ text, tone }, index) => {
      const shape = inWords[index + 1] ? 'words' : text.length > 14 ? 'long' : undefined;
      const kinds = [tone, shape].filter(Boolean).join(' ');
      return `<td${kinds === '' ? '' : ` class="${kinds}"`}>${escaped(firstLine(text))}</td>`;
    });
    return `<tr><th scope="row">${escaped(first!.text)}</th>${cells.join('')}</tr>`;
  });
  return `<div class="wide"><table><thead><tr>${header.join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;
}

function isWords(text: string): boolean {
  return /\p{L}{4}/u.test(text);
}

/** What was found against a system, the first of each promise. */
function findings(column: Column): string {
  const promises = [...column.violations].filter(([, found]) => found.length > 0);
  const doubts = column.inconclusive.map((what) => `<li>${escaped(what)}</li>`);
  if (promises.length === 0 && doubts.length === 0) return '';
  const found = promises.map(([promise, all]) => promiseFindings(promise, all));
  const inconclusive =
    doubts.length === 0 ? '' : `<h3>Inconclusive</h3><ul>${doubts.join('')}</ul>`;
  return `<section><h2>Found: ${escaped(titleOf(column))}</h2>${found.join('')}${inconclusive}</section>`;
}

function promiseFindings(promise: PromiseName, all: readonly string[]): string {
  const shown = all.slice(0, SHOWN).map((what) => `<li>${escaped(firstLine(what))}</li>`);
  const more = all.length > SHOWN ? `<li class="quiet">and ${all.length - SHOWN} more</li>` : '';
  return `<h3>${escaped(PROMISES[promise])}</h3><ul>${shown.join('')}${more}</ul>`;
}

export function firstLine(text: string): string {
  return text.split('\n')[0]!;
}

function seeds({ columns }: Report): string {
  const rows = columns.map(
    (column) =>
      `<li>${escaped(titleOf(column))}: ${column.seeds.join(', ')} (${escaped(column.securities.join(', '))})</li>`,
  );
  if (rows.length === 0) return '';
  return section(
    'Seeds',
    'A run makes the same choices again with npm run chaos -- --seed N and the same options, as far as processes let it.',
    `<ul>${rows.join('')}</ul>`,
  );
}
