import { afterAll, describe, expect, it } from 'vitest';
import { availableEtcdLines } from '../support/etcd-binaries.js';
import { chaosRun } from './run/chaos-run.js';
import { openRealStage } from './run/real-stage.js';
import { commandFor, type Security } from './run/rounds.js';
import type { RunOptions } from './run/run-options.js';
import { foundIn, type RunResult } from './run/run-result.js';
import { verdictLines } from './report/verdict-line.js';
import { reportOf } from './report/report-data.js';

/** Have a run again with the seed that it printed: CHAOS_SEED=… */
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 2 ** 31);
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 60);
/** Starting, healing, awaiting and judging, with time to spare. */
const AROUND_MS = 180_000;

/** Each line in another way, so that all are seen. */
const SECURITY_OF_LINE: Readonly<Record<string, Security>> = {
  '3.4': 'plain',
  '3.5.16': 'auth',
  '3.5': 'tls+auth',
};

const lines = await availableEtcdLines();

describe.each(lines)('five processes under chaos, on three members of etcd %s', (line) => {
  const results: RunResult[] = [];
  afterAll(() => {
    for (const { text } of verdictLines(reportOf(results))) console.log(`etcd ${line}: ${text}`);
  });

  it(
    `keep every promise through ${SECONDS} s of faults`,
    async () => {
      const security = SECURITY_OF_LINE[line] ?? 'plain';
      const options: RunOptions = { line, system: 'ours', seconds: SECONDS, seed: SEED, security };
      console.log(commandFor(options));
      const result = await chaosRun(options, openRealStage);
      results.push(result);
      if (result.folder !== null) {
        console.log(
          `The notes are in ${result.folder}: npm run chaos -- --recheck ${result.folder}`,
        );
      }
      expect(foundIn(result)).toEqual([]);
      expect(result.inconclusive).toEqual([]);
    },
    SECONDS * 1000 + AROUND_MS,
  );
});
