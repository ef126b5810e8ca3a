import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const module = fileURLToPath(new URL('../../scripts/test/end-of-run.mjs', import.meta.url));

/** Runs the script's function in a Node of its own, as `npm test` does. */
function endOfRun(input: object): { failed: boolean; lines: string[] } {
  const program = `import { endOfRun } from ${JSON.stringify(module)};
    console.log(JSON.stringify(endOfRun(${JSON.stringify(input)})));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  return JSON.parse(stdout) as { failed: boolean; lines: string[] };
}

const checks = [
  { name: 'lint', passed: true },
  { name: 'build', passed: true },
];
const all = { available: ['3.4', '3.5.16', '3.5'], missing: [] };
const none = { available: [], missing: [{ line: '3.5', reasons: ['no answer in time'] }] };
const counts = { passed: 10, failed: 0, skipped: 0 };

describe('the last lines of npm test', () => {
  it('count checks and tests, alone on the last line', () => {
    const run = endOfRun({ checks, exitCode: 0, suites: { counts, failures: [], etcd: all } });
    expect(run.failed).toBe(false);
    expect(run.lines.at(-1)).toBe('12 passed, 0 failed');
  });

  it('say what was not run, before the count', () => {
    const suites = { counts: { ...counts, skipped: 3 }, failures: [], etcd: none };
    const run = endOfRun({ checks, exitCode: 0, suites, ci: false });
    expect(run.failed).toBe(false);
    expect(run.lines.join('\n')).toMatch(
      /NOT RUN on any real etcd[\s\S]*etcd 3\.5: no answer in time/,
    );
    expect(run.lines.at(-1)).toBe('12 passed, 0 failed, 3 skipped');
  });

  it('fail for that under CI', () => {
    const run = endOfRun({
      checks,
      exitCode: 0,
      suites: { counts, failures: [], etcd: none },
      ci: true,
    });
    expect(run.failed).toBe(true);
    expect(run.lines.at(-1)).toBe('12 passed, 1 failed');
  });

  it('fail for a check, a test, and a vitest that ends badly or says nothing', () => {
    const broken = [...checks, { name: 'typecheck', passed: false }];
    const failing = { counts: { ...counts, failed: 2 }, failures: ['a > b'], etcd: all };
    const last = (input: object) => endOfRun({ checks, exitCode: 1, ...input }).lines.at(-1);
    expect(last({ suites: failing })).toBe('12 passed, 2 failed');
    expect(last({ suites: { counts, failures: [], etcd: all } })).toBe('12 passed, 1 failed');
    expect(last({ suites: null })).toBe('2 passed, 1 failed');
    expect(
      endOfRun({ checks: broken, exitCode: 0, suites: { counts, failures: [], etcd: all } }).lines,
    ).toContain('  npm run typecheck');
  });
});
