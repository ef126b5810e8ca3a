import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { runConfig } from './cli.js';

// What goes wrong is said once, by the command.
Logger.overrideLogger(false);
// Whoever reads may have enough, such as `head`.
process.stdout.on('error', () => process.exit(0));

const { stdin, stdout, stderr, env } = process;
process.exitCode = await runConfig(process.argv.slice(2), { stdin, stdout, stderr, env });
