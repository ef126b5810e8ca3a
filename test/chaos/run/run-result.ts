import type { Figures, PromiseName } from '../check/evidence.js';
import type { RunOptions } from './run-options.js';

/** What a run came to; JSON, so that the report can be made of several. */
export interface RunResult {
  readonly options: RunOptions;
  /** Such as `3.5.30`, as the server says it. */
  readonly etcdVersion: string;
  readonly nodeVersion: string;
  readonly libraryVersion: string;
  readonly startedAt: string;
  /** Milliseconds for which faults went on. */
  readonly faultMs: number;
  /** By kind: how many were begun, and how many hit. */
  readonly faults: Readonly<Record<string, { readonly begun: number; readonly hit: number }>>;
  /** Every promise that was checked, with what was found against it. */
  readonly violations: Readonly<Partial<Record<PromiseName, readonly string[]>>>;
  /** Why the run says nothing; empty if it does. */
  readonly inconclusive: readonly string[];
  readonly figures: Readonly<Record<string, Figures>>;
  /** Where the notes are, if they were kept. */
  readonly folder: string | null;
}

export const isClean = (result: RunResult): boolean =>
  Object.values(result.violations).every((found) => found.length === 0);
