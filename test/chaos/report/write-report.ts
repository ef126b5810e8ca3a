import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunResult } from '../run/run-result.js';
import { htmlPage } from './html-page.js';
import { markdownPage, markdownQuote } from './markdown-page.js';
import { reportOf } from './report-data.js';

/** Writes the page of some runs as HTML and Markdown, what the README quotes of it, and the runs as JSON; answers with the page's path. */
export function writeReport(results: readonly RunResult[], folder: string): string {
  mkdirSync(folder, { recursive: true });
  const report = reportOf(results);
  const page = join(folder, 'chaos.html');
  writeFileSync(page, htmlPage(report));
  writeFileSync(join(folder, 'chaos.md'), markdownPage(report));
  writeFileSync(join(folder, 'quote.md'), markdownQuote(report));
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  return page;
}
