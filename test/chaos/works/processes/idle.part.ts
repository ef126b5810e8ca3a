import type { WorkerPart } from '../work.js';

/** There is nothing to do: what is judged is how each process lives and ends. */
export const part: WorkerPart = {
  start: () => Promise.resolve({ stop: () => Promise.resolve() }),
};
