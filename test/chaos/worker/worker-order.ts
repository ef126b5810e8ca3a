import type { Access, SystemName } from '../systems/system.js';

/** What a worker process is told when it is started, as JSON in its first argument. */
export interface WorkerOrder {
  /** Slot and incarnation. */
  readonly id: string;
  /** Where it notes. */
  readonly notebook: string;
  readonly system: SystemName;
  readonly access: Access;
  readonly parts: readonly { readonly work: string; readonly module: string }[];
  readonly seed: number;
  /** How much is done in a second, against what the works are made for: 1 leaves more than half of two cores idle. */
  readonly rate: number;
}

/** What it is told on stdin while it runs, a line of JSON each. */
export type WorkerMessageIn =
  | { readonly stop: true }
  /** Sets its wall clock forward, or back. */
  | { readonly jump: number }
  /** Blocks its event loop for so many milliseconds. */
  | { readonly block: number };
