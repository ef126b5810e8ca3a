import 'reflect-metadata';
import { mkdtempSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Demo } from './demo.js';
import { Narrator } from './narrator.js';

const USAGE = `npm run demo             plays the story, then stays up until Ctrl-C
npm run demo -- --once   plays the story and ends with 0 if all was as expected, else with 1

ETCD_ENDPOINTS=host:port[,host:port]   uses that etcd instead of the embedded server`;

const unknown = process.argv.slice(2).filter((argument) => argument !== '--once');
if (unknown.length > 0) {
  const asked = unknown.every((argument) => argument === '--help' || argument === '-h');
  console.log(asked ? USAGE : `${unknown.join(' ')} is not an option of the demo.\n\n${USAGE}`);
  process.exit(asked ? 0 : 1);
}

const narrator = new Narrator();
const logs = mkdtempSync(join(tmpdir(), 'nestjs-etcd-demo-'));
const demo = new Demo(narrator, logs);

let stopped = false;
function interrupt(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void {
  // The story was not told to its end, and says so as a shell would.
  const code = demo.staysUp ? 0 : 128 + constants.signals[signal];
  // A second Ctrl-C does not wait; the processes notice by themselves that this one is gone.
  if (stopped) process.exit(code);
  stopped = true;
  narrator.close('\nEnding all processes …');
  void demo.close().finally(() => process.exit(code));
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);

// A SIGTERM to npm ends npm and its shell, and comes no further: all that is seen of it here is
// that the parent is another one.
if (process.env.npm_lifecycle_event === 'demo') {
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    if (!stopped) interrupt('SIGTERM');
  }, 500);
}

try {
  await demo.play();
  const good = narrator.failed === 0;
  narrator.verdict(
    good,
    good
      ? `All ${narrator.checked} expectations were met.`
      : `${narrator.failed} of ${narrator.checked} expectations were not met.`,
  );
  if (!good) demo.showLogs();
  if (good && !process.argv.includes('--once')) {
    demo.stayUp();
  } else if (!stopped) {
    await demo.close();
    process.exit(good ? 0 : 1);
  }
} catch (error) {
  // What fails because everything is being ended is no news.
  if (!stopped) {
    narrator.verdict(
      false,
      `The story broke off: ${error instanceof Error ? error.message : String(error)}`,
    );
    demo.showLogs();
    await demo.close();
    process.exit(1);
  }
}
