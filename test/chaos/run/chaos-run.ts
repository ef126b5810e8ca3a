import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../support/wait-for.js';
import { machineNow } from '../../e2e/election/machine-clock.js';
import { awaitWorks } from './awaited.js';
import { judge, type Matter } from './judge.js';
import { keepRun } from './kept-run.js';
import { RunEvidence } from './run-evidence.js';
import type { RunOptions } from './run-options.js';
import { type Judgement, isClean, type RunResult } from './run-result.js';
import type { Processes, Stage } from './stage.js';
import { libraryVersion } from './versions.js';

const START_MS = 60_000;

export interface Direction {
  /** Ends the harm before its time; what was begun is healed and checked all the same. */
  readonly signal?: AbortSignal;
  /** For how long, after the healing, processes are waited for that have not started yet. Default a minute. */
  readonly startMs?: number;
  /** Told as soon as the stage stands, to follow the run. */
  readonly onStage?: (stage: Stage) => void;
}

/**
 * One run: processes work on etcd while harm is done to both; then all is healed, everything must come right
 * again within its bound, the processes end, and what all of them noted is judged.
 *
 * @param open starts the processes and etcd; whatever it started is stopped, however the run ends
 */
export async function chaosRun(
  options: RunOptions,
  open: (options: RunOptions) => Promise<Stage>,
  { signal, onStage, startMs = START_MS }: Direction = {},
): Promise<RunResult> {
  const startedAt = new Date().toISOString();
  const stage = await open(options);
  const evidence = new RunEvidence(stage);
  try {
    onStage?.(stage);
    const faultMs = await harmed(stage, options.seconds * 1000, signal);
    const { late, absent } = await healed(stage, evidence, startMs);
    await stage.fleet.finish();
    evidence.finalList = await stage.truth.finalList();
    stage.fleet.look();

    const { works, faults, lacks, etcdVersion, truth, problems } = stage;
    const matter: Matter = {
      works,
      faults,
      faultMs,
      late,
      problems: [...truth.missed, ...problems, ...absent],
    };
    const judgement = judge(matter, evidence);
    const folder = folderToKeep(options, judgement, stage);
    const result: RunResult = {
      ...{ options, etcdVersion, startedAt, faultMs, lacks, ...judgement, folder },
      ...{ nodeVersion: process.versions.node, libraryVersion: libraryVersion() },
    };
    if (folder !== null) keepRun(folder, result, matter, evidence);
    return result;
  } catch (error) {
    const notes = notesOf(stage, options);
    throw new Error(`The run broke off, its notes are in ${notes}: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    await stage.stop();
  }
}

/** Milliseconds for which harm was done. */
async function harmed(stage: Stage, forMs: number, signal?: AbortSignal): Promise<number> {
  const from = machineNow();
  const over = new AbortController();
  const end = () => over.abort();
  const timer = setTimeout(end, forMs);
  if (signal?.aborted) end();
  signal?.addEventListener('abort', end, { once: true });
  try {
    await stage.harm(over.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
  return machineNow() - from;
}

/** Heals, and waits until all is right again; answers with what did not come about, and with who never started. */
async function healed(
  stage: Stage,
  evidence: RunEvidence,
  startMs: number,
): Promise<{ late: readonly string[]; absent: readonly string[] }> {
  const { fleet, works, book } = stage;
  await stage.heal();
  // A process takes its time to start, and that is not what is awaited of the library.
  const absent = await startedAll(fleet, startMs);
  const healedAt = machineNow();
  book.note({ type: 'healed' }, healedAt);
  evidence.healedAt = healedAt;
  evidence.survivors = fleet.slots.map(({ id }) => id);
  const late = await awaitWorks(works, healedAt, () => {
    fleet.look();
    return evidence;
  });
  return { late, absent };
}

/** Waits for all to have started; those who have not in time, as whole sentences: nothing was awaited of them. */
async function startedAll(fleet: Processes, timeoutMs: number): Promise<string[]> {
  const what = 'all to have started';
  return waitFor(() => absentOf(fleet).length === 0, { what, timeoutMs }).then(
    () => [],
    () =>
      absentOf(fleet).map(
        (id) => `Process ${id} had not started ${timeoutMs} ms after the healing.`,
      ),
  );
}

function absentOf(fleet: Processes): string[] {
  fleet.look();
  const started = new Set(
    fleet.notesOf('life').flatMap(({ type, process }) => (type === 'started' ? [process] : [])),
  );
  return fleet.slots.map(({ id }) => id).filter((id) => !started.has(id));
}

/** Where the notes outlive this process: where they were asked for, or, after a run that says nothing good, a copy. */
function folderToKeep(options: RunOptions, judgement: Judgement, stage: Stage): string | null {
  if (options.folder !== undefined) return options.folder;
  if (isClean(judgement) && judgement.inconclusive.length === 0) return null;
  return copyOf(stage);
}

/** A run that broke off has notes all the same, and they may say why. */
function notesOf(stage: Stage, options: RunOptions): string {
  return options.folder ?? copyOf(stage);
}

function copyOf(stage: Stage): string {
  const kept = mkdtempSync(join(tmpdir(), 'chaos-notes-'));
  cpSync(stage.folder, kept, { recursive: true });
  return kept;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
