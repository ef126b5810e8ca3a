import { spawn } from 'node:child_process';

/** Each is a script of package.json and counts as one test. The build comes last: it needs both cores. */
const CHECKS = [['lint', 'format:check'], ['typecheck'], ['build']];

/** Runs the static checks, shows what they say, and answers with the outcome of each. */
export async function runChecks() {
  const outcomes = [];
  for (const group of CHECKS) outcomes.push(...(await Promise.all(group.map(runCheck))));
  return outcomes;
}

async function runCheck(name) {
  const started = performance.now();
  const child = spawn('npm', ['run', '--silent', name], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = [];
  child.stdout.on('data', (data) => output.push(data));
  child.stderr.on('data', (data) => output.push(data));
  const code = await new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('close', resolve);
  });
  const passed = code === 0;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${passed ? '✓' : '✗'} ${name} (${seconds} s)`);
  if (!passed) console.log(Buffer.concat(output).toString('utf8'));
  return { name, passed };
}
