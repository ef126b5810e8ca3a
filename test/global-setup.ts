import type { TestProject } from 'vitest/node';
import { warmUp } from '../scripts/ts-loader/warm-up.mjs';
import {
  reasonsByLine,
  RESOLVED_ENV,
  resolveEtcdBinaries,
  wantedEtcdLines,
} from './support/etcd-binaries.js';
import { KNOWN_LINES } from './support/etcd-fetch/etcd-line.js';

/** What the summary reporter tells at the end of the run. */
const OUTCOME_ENV = 'ETCD_TEST_OUTCOME';

/**
 * Looks for the real servers once, before any worker starts, and downloads those that are missing. Compiles
 * what the processes of tests are made of.
 */
export default async function setup(project: TestProject): Promise<void> {
  if (process.env[RESOLVED_ENV]) return;
  warmUp();
  const binaries = await resolveEtcdBinaries();
  process.env[RESOLVED_ENV] = JSON.stringify(binaries);

  const available = Object.keys(binaries);
  const wanted = new Set(await wantedEtcdLines());
  const missing = KNOWN_LINES.filter(({ name }) => !available.includes(name)).map(({ name }) => ({
    line: name,
    reasons: wanted.has(name)
      ? (reasonsByLine.get(name) ?? ['it was not found'])
      : ['ETCD_BIN or ETCD_LINES asks for others'],
  }));
  process.env[OUTCOME_ENV] = JSON.stringify({ available, missing });

  // A suite with a part for each line is empty where there is none: that is said at the end, and no mistake.
  if (available.length === 0) {
    for (const { config } of project.vitest.projects) config.passWithNoTests = true;
  }

  const list = Object.entries(binaries).map(([line, path]) => `  ${line}: ${path}`);
  process.stdout.write(
    list.length > 0
      ? `Real etcd servers:\n${list.join('\n')}\n`
      : 'No real etcd server can be had: the embedded one stands in.\n',
  );
}
