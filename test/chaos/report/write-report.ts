import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunResult } from '../run/run-result.js';

/** Writes the page of some runs, and the runs themselves. */
export function writeReport(results: readonly RunResult[], folder: string): string {
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  return join(folder, 'results.json');
}
