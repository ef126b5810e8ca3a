/** `npm run chaos`: see `run/chaos-help.ts`. */
import 'reflect-metadata';
import { runCommand } from './run/run-command.js';

process.exitCode = await runCommand(process.argv.slice(2), {
  say: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
});
