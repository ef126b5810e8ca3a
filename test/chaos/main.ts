/** `npm run chaos`: see `run/chaos-help.ts`. */
import 'reflect-metadata';
import { runCommand } from './run/run-command.js';

const code = await runCommand(process.argv.slice(2), {
  say: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
});
// At once, when all is written: left to itself, Node 20 was seen to spin for ever in its own taking down of
// connections, with nothing left to run.
process.stdout.write('', () => process.exit(code));
