import type { PromiseName } from '../check/evidence.js';
import type { RunOptions } from '../run/run-options.js';

/** A deliberate fault in the library, of a kind that was made before, which the checkers must find. */
export interface Mutant {
  /** As `CHAOS_MUTANT` names it. */
  readonly name: string;
  /** What it breaks, as a sentence. */
  readonly breaks: string;
  /** It is caught if one of these is found broken; what else is found is a consequence. */
  readonly caughtBy: readonly PromiseName[];
  /** The shortest run that brings it to light: its works, its faults, its seconds. */
  readonly run: DirectedRun;
  readonly replacements: readonly Replacement[];
}

export type DirectedRun = Pick<RunOptions, 'seconds' | 'works' | 'faults' | 'ttlSeconds'>;

/** A text of the library's source that stands there once, and what the mutant has in its place. */
export interface Replacement {
  /** From `libs/etcd-coordination/src` on. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}
