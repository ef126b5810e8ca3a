import type { Figures, PromiseName, Verdicts } from '../check/evidence.js';
import type { RunOptions } from './run-options.js';

/** What a run came to; JSON, so that the report can be made of several. */
export interface RunResult extends Judgement {
  readonly options: RunOptions;
  /** Such as `3.5.30`, as the server says it. */
  readonly etcdVersion: string;
  readonly nodeVersion: string;
  readonly libraryVersion: string;
  readonly startedAt: string;
  /** Milliseconds for which faults went on. */
  readonly faultMs: number;
  /** What could not be done here, each with its reason in a whole sentence. */
  readonly lacks: readonly string[];
  /** Where the notes are, if they were kept. */
  readonly folder: string | null;
}

/** What the notes of a run say. */
export interface Judgement {
  /** By kind, of all that there could be: how many were begun, and how many hit. */
  readonly faults: Readonly<Record<string, { readonly begun: number; readonly hit: number }>>;
  /** Every promise that was checked, with what was found against it. */
  readonly violations: Verdicts;
  /** Why the run says nothing; empty if it does. */
  readonly inconclusive: readonly string[];
  /** By work. */
  readonly figures: Readonly<Record<string, Figures>>;
}

export const isClean = ({ violations }: Pick<Judgement, 'violations'>): boolean =>
  Object.values(violations).every((found) => found.length === 0);

/** All that was found, each with the promise that it breaks. */
export function foundIn({ violations }: Pick<Judgement, 'violations'>): [PromiseName, string][] {
  const promises = Object.entries(violations) as [PromiseName, readonly string[]][];
  return promises.flatMap(([promise, found]) =>
    found.map((one): [PromiseName, string] => [promise, one]),
  );
}
