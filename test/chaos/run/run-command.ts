import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PROMISES } from '../check/evidence.js';
import { grouped } from '../check/in-time.js';
import { firstLine } from '../report/html-page.js';
import { writeReport } from '../report/write-report.js';
import { WORKS } from '../works/index.js';
import { type ChaosCommand, readCommand } from './chaos-command.js';
import { helpText } from './chaos-help.js';
import { chaosRun } from './chaos-run.js';
import { ChaosUsageError } from './chaos-usage.error.js';
import { judgeAgain, keptRunsIn } from './kept-run.js';
import { knownNames } from './known-names.js';
import { neverHit } from './never-hit.js';
import { Progress } from './progress.js';
import { openRealStage } from './real-stage.js';
import { commandFor, nameOf, roundsOf } from './rounds.js';
import type { RunOptions } from './run-options.js';
import { foundIn, type RunResult } from './run-result.js';
import type { Stage } from './stage.js';
import { hasFailed } from './verdict.js';

type OpenStage = (options: RunOptions) => Promise<Stage>;

/** Where the command speaks. */
export interface Terminal {
  say(line: string): void;
  complain(line: string): void;
}

/** Of what was found against a promise, so many are said on the terminal; the page and the notes have all. */
const SAID = 5;

/**
 * Does what a command line asks for.
 *
 * @returns the exit code: 0, 1 if a promise was broken or a run was inconclusive, 2 if it was not understood
 */
export async function runCommand(
  args: readonly string[],
  terminal: Terminal,
  open: OpenStage = openRealStage,
): Promise<number> {
  try {
    const command = readCommand(args, knownNames());
    if (command.do === 'help') {
      terminal.say(helpText(knownNames()));
      return 0;
    }
    return command.do === 'recheck'
      ? recheck(command, terminal)
      : await run(command, terminal, open);
  } catch (error) {
    if (!(error instanceof ChaosUsageError)) throw error;
    terminal.complain(error.message);
    return 2;
  }
}

function recheck(
  { folders, out }: Extract<ChaosCommand, { do: 'recheck' }>,
  terminal: Terminal,
): number {
  const runs = folders.flatMap((folder) => keptRunsIn(resolve(folder)));
  const results = runs.map((run) => judgeAgain(run, WORKS));
  for (const result of results) sayResult(result, terminal);
  if (out !== null) terminal.say(`Report: ${writeReport(results, resolve(out))}`);
  return tellDoubts(results, terminal) || results.some(hasFailed) ? 1 : 0;
}

async function run(
  { plan, out }: Extract<ChaosCommand, { do: 'run' }>,
  terminal: Terminal,
  open: OpenStage,
): Promise<number> {
  const rounds = roundsOf(plan);
  const folder = out === null ? mkdtempSync(join(tmpdir(), 'chaos-')) : resolve(out);
  mkdirSync(folder, { recursive: true });
  const interrupt = interruptible(terminal);
  const results: RunResult[] = [];
  const brokenOff: string[] = [];
  try {
    for (const options of rounds) {
      if (interrupt.signal.aborted) break;
      const own = withFolder(options, out, folder);
      const result = await oneRun(own, open, terminal, interrupt.signal).catch((error: unknown) => {
        // One round without an answer keeps nobody from the others, which are runs of their own.
        terminal.complain(`  ✗ ${error instanceof Error ? error.message : String(error)}`);
        brokenOff.push(commandFor(options));
      });
      if (!result) continue;
      results.push(result);
      // After each, so that whatever ends this command leaves what was found so far.
      writeReport(results, folder);
    }
  } finally {
    interrupt.end();
  }
  if (results.length > 0) terminal.say(`\nReport: ${writeReport(results, folder)}`);
  for (const command of brokenOff) terminal.say(`Broken off, so it says nothing: ${command}`);
  const isInDoubt = tellDoubts(results, terminal);
  // What was ended before its time has not shown what was asked for.
  const isShort = interrupt.signal.aborted || brokenOff.length > 0;
  return isShort || isInDoubt || results.some(hasFailed) ? 1 : 0;
}

function tellDoubts(results: readonly RunResult[], terminal: Terminal): boolean {
  const doubts = longDoubts(results);
  for (const doubt of doubts) terminal.say(`Inconclusive: ${doubt}`);
  return doubts.length > 0;
}

/** What only all runs together can be too short of. */
function longDoubts(results: readonly RunResult[]): string[] {
  const asIs = results.filter(
    ({ options }) => options.system === 'ours' && options.mutant === undefined,
  );
  return [...grouped(asIs, ({ options }) => options.line)].flatMap(([line, runs]) =>
    neverHit(runs).map((doubt) => `etcd ${line}: ${doubt}`),
  );
}

async function oneRun(
  options: RunOptions,
  open: OpenStage,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<RunResult> {
  terminal.say(`\n${commandFor(options)}`);
  let progress: Progress | undefined;
  try {
    const onStage = (stage: Stage) => {
      progress = new Progress(options, stage, (line) => terminal.say(line));
    };
    const result = await chaosRun(options, open, { signal, onStage });
    sayResult(result, terminal);
    return result;
  } finally {
    progress?.[Symbol.dispose]();
  }
}

/** Notes are kept where the page goes; else in a temporary folder that outlives only a run that failed. */
function withFolder(options: RunOptions, out: string | null, folder: string): RunOptions {
  if (out === null) return options;
  const own = join(folder, nameOf(options));
  if (existsSync(join(own, 'run.jsonl'))) {
    throw new ChaosUsageError(
      `${own} holds the notes of another run, which would be mixed with this one's: give another --out or --seed.`,
    );
  }
  mkdirSync(own, { recursive: true });
  return { ...options, folder: own };
}

function sayResult(result: RunResult, terminal: Terminal): void {
  const { faults, inconclusive, figures, etcdVersion, folder } = result;
  const hits = Object.values(faults).reduce((sum, { hit }) => sum + hit, 0);
  const found = foundIn(result);
  terminal.say(
    `  etcd ${etcdVersion}: ${hits} faults hit; ${found.length} violations; works: ${Object.keys(figures).join(', ')}`,
  );
  const said = new Map<string, number>();
  for (const [promise, what] of found) {
    const count = (said.get(promise) ?? 0) + 1;
    said.set(promise, count);
    if (count <= SAID) terminal.say(`  ✗ ${PROMISES[promise]}: ${firstLine(what)}`);
  }
  for (const [promise, count] of said) {
    if (count > SAID) terminal.say(`  ✗ … ${count - SAID} more of ${promise}.`);
  }
  for (const what of inconclusive) terminal.say(`  ? ${what}`);
  if (folder !== null) terminal.say(`  Notes: ${folder}`);
}

/** The first Ctrl-C ends the harm, heals and judges; the second ends everything at once. */
function interruptible(terminal: Terminal): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    terminal.complain('Healing and judging what was noted so far; once more ends at once.');
    controller.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    end: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}
