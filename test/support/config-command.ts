import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runConfig } from '../../scripts/config/cli.js';
import { reapProcess } from './reaper.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What became of a command. */
export interface EndedCommand {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A command of `npm run config` that runs in this process. */
export interface CalledCommand {
  readonly ended: Promise<EndedCommand>;
  /** What it has written to stdout so far. */
  seen(): string;
}

/** Runs `npm run config -- …` in this process: as what it starts, and much sooner. */
export function callConfig(
  args: readonly string[],
  env: Record<string, string>,
  input = '',
): CalledCommand {
  const written = { out: '', err: '' };
  const into = (name: 'out' | 'err') => ({
    write: (chunk: unknown) => {
      written[name] += String(chunk);
      return true;
    },
  });
  const around = { stdin: Readable.from([Buffer.from(input)]), env };
  const ended = runConfig(args, { ...around, stdout: into('out'), stderr: into('err') });
  return { ended: ended.then((code) => ({ code, ...written })), seen: () => written.out };
}

/** Runs what `npm run config -- …` starts, in a process of its own. */
export async function spawnConfig(
  args: readonly string[],
  env: Record<string, string>,
  input = '',
): Promise<EndedCommand> {
  const child = spawn(
    process.execPath,
    ['--import', './scripts/ts-loader/register.mjs', 'scripts/config/main.ts', ...args],
    {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    },
  );
  reapProcess(child);
  // It may end before it has read everything.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('exit', resolve)),
  ]);
  return { code, out, err };
}
