/**
 * `npm test`: lint, layers, format, types and build, then every suite, on real etcd servers as far as they
 * can be had. Ends with what was not run, and with `N passed, N failed` alone on the last line.
 *
 * Arguments go to vitest: `npm test -- test/e2e/election`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecks } from './checks.mjs';
import { endOfRun } from './end-of-run.mjs';
import { runVitest } from './vitest.mjs';

const folder = mkdtempSync(join(tmpdir(), 'etcd-coordination-run-'));
const report = join(folder, 'report.json');
try {
  const checks = await runChecks();
  const exitCode = await runVitest(report, process.argv.slice(2));
  const { lines, failed } = endOfRun({ checks, exitCode, ...readReport(report) });
  for (const line of lines) console.log(line);
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Null where vitest ended before it could say anything. */
function readReport(file) {
  try {
    return { suites: JSON.parse(readFileSync(file, 'utf8')) };
  } catch {
    return { suites: null };
  }
}
