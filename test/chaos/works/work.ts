import type { Evidence, Figures, Verdicts } from '../check/evidence.js';
import type { NoteTaker } from '../history/notebook.js';
import type { SeededRandom } from '../../support/seeded-random.js';
import type { SystemName, SystemUnderTest } from '../systems/system.js';

/**
 * One use of the library and the promises that hold for it: what its part in each worker process does, and what
 * the notes of all of them must show afterwards. A new feature of the library joins the chaos by adding a folder
 * with one of these, and a line in `works/index.ts`.
 */
export interface ChaosWork {
  /** Names its notes, its keys and its lines of the report. */
  readonly name: string;
  /**
   * The module that a worker process imports, for each system that can do this work; it exports a
   * {@link WorkerPart} as `part`. A system that is left out has nothing like it (plain etcd3 has no configurations).
   */
  readonly parts: Partial<Record<SystemName, URL>>;
  /** Every rule that was broken, by the promise that it belongs to; all empty if all is well. */
  check(evidence: Evidence): Verdicts;
  /** What was not seen often enough for the run to say anything, as whole sentences; empty if all was. */
  inconclusive(evidence: Evidence, minutes: number): readonly string[];
  /**
   * What has yet to come about after the healing, as whole sentences; empty once this work is right again. Asked
   * over and over, until it is empty or {@link recoveryBoundMs} is over, which is a violation of liveness.
   */
  awaited(evidence: Evidence, healedAt: number): readonly string[];
  /** From the healing to an empty {@link awaited}: computed from TTL and timeouts, never tried out. */
  recoveryBoundMs(ttlMs: number): number;
  /** Counts for the report. */
  figures(evidence: Evidence): Figures;
}

/** Who owns what, as its notes of granted, valid, lost and released say: whom faults aim at. */
export interface Holder {
  /** Slot and incarnation. */
  readonly process: string;
  /** What is owned, such as `lock/contended`. */
  readonly of: string;
  readonly token: string;
}

/** A worker process's part in a work. */
export interface WorkerPart<S = SystemUnderTest> {
  /** Begins, and resolves as soon as it is on its way. Must not reject for want of etcd. */
  start(ground: Ground<S>): Promise<Running>;
}

export interface Running {
  /**
   * No new operation; resolves when those under way have ended. The system is closed meanwhile, as an application
   * is closed while it works.
   */
  stop(): Promise<void>;
}

/** What a part works with. */
export interface Ground<S = SystemUnderTest> {
  /** Slot and incarnation of this process. */
  readonly process: string;
  readonly system: S;
  readonly book: NoteTaker;
  readonly random: SeededRandom;
  readonly namespace: string;
  /** How much to do in a second, against what the work is made for: pauses are divided by it. */
  readonly rate: number;
  /** Notes an error that nobody should see. */
  fault(where: string, error: unknown): void;
}
