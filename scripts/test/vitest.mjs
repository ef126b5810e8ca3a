import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const reporter = join(root, 'scripts', 'test', 'summary-reporter.mjs');

/** Runs the suites; resolves to vitest's exit code. */
export async function runVitest(report, args) {
  const vitest = dirname(createRequire(import.meta.url).resolve('vitest/package.json'));
  const child = spawn(
    process.execPath,
    [
      join(vitest, 'vitest.mjs'),
      'run',
      '--reporter=default',
      `--reporter=${reporter}`,
      // A filter that fits no suite is a mistake; a checkout without suites is one too.
      '--passWithNoTests=false',
      ...args,
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, TEST_REPORT: report } },
  );
  // Ctrl-C reaches vitest by itself; this process waits for its last words.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}
