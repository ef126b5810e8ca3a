import { writeFileSync } from 'node:fs';

/** Counts what vitest ran into the file that `TEST_REPORT` names, for the last lines of `npm test`. */
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env.TEST_REPORT;
    if (!file) return;
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const failures = [];
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        // What never got its turn, after a set-up that failed, has not passed.
        counts[state === 'pending' ? 'failed' : state] += 1;
        if (state !== 'failed') continue;
        failedTests += 1;
        failures.push(`${module.relativeModuleId} > ${test.fullName}`);
      }
      // A suite that could not even be loaded has no tests to count.
      if (module.state() === 'failed' && failedTests === 0) {
        counts.failed += 1;
        failures.push(`${module.relativeModuleId} (the suite itself)`);
      }
    }
    for (const error of unhandledErrors) {
      counts.failed += 1;
      failures.push(`an error that nobody caught: ${error.message ?? String(error)}`);
    }
    const etcd = process.env.ETCD_TEST_OUTCOME;
    writeFileSync(file, JSON.stringify({ counts, failures, etcd: etcd ? JSON.parse(etcd) : null }));
  }
}
