/** Works out the last lines of `npm test`, and whether it failed. */
export function endOfRun({ checks, exitCode, suites, ci = isCi(process.env) }) {
  const passedChecks = checks.filter((check) => check.passed).length;
  const counts = {
    passed: passedChecks + (suites?.counts.passed ?? 0),
    failed: checks.length - passedChecks + (suites?.counts.failed ?? 0),
    skipped: suites?.counts.skipped ?? 0,
  };
  const notRun = notRunLines(suites?.etcd ?? null, ci);
  if (notRun.failed) counts.failed += 1;
  // Whatever ended vitest without a failure of its own must not end well.
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;

  const failures = [
    ...checks.filter((check) => !check.passed).map((check) => `npm run ${check.name}`),
    ...(suites?.failures ?? ['vitest ended before it could report']),
  ];
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  return {
    failed: counts.failed > 0,
    lines: [
      ...(failures.length > 0 ? ['', 'Failed:', ...failures.map((name) => `  ${name}`)] : []),
      ...notRun.lines,
      '',
      `${counts.passed} passed, ${counts.failed} failed${skipped}`,
    ],
  };
}

function notRunLines(etcd, ci) {
  if (!etcd || etcd.missing.length === 0) return { lines: [], failed: false };
  const names = etcd.missing.map(({ line }) => line).join(', ');
  const frame = '!'.repeat(100);
  const what =
    etcd.available.length > 0
      ? `NOT RUN on real etcd ${names}. Run on: ${etcd.available.join(', ')}.`
      : 'NOT RUN on any real etcd: all that needs one was skipped, the rest ran on the embedded server alone.';
  return {
    failed: ci,
    lines: [
      '',
      frame,
      `!! ${what}`,
      ...etcd.missing.map(({ line, reasons }) => `!!   etcd ${line}: ${reasons.join('; ')}`),
      '!! Set ETCD_BIN to an etcd server, or make the network reachable and run: npm run etcd:fetch',
      ...(ci ? ['!! With CI=true this is a failure.'] : []),
      frame,
    ],
  };
}

export function isCi(env) {
  return env.CI === 'true' || env.CI === '1';
}
