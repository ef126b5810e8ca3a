import { batches } from './batches/index.js';
import { config } from './config/index.js';
import { elections } from './elections/index.js';
import { limits } from './limits/index.js';
import { locks } from './locks/index.js';
import { processes } from './processes/index.js';
import { readWrite } from './read-write/index.js';
import { registers } from './registers/index.js';
import { registry } from './registry/index.js';
import { semaphores } from './semaphores/index.js';
import { watched } from './watched/index.js';
import type { ChaosWork } from './work.js';

/** Every work of the chaos, in the order of the report. */
export const WORKS: readonly ChaosWork[] = [
  locks,
  readWrite,
  semaphores,
  elections,
  registers,
  watched,
  config,
  registry,
  limits,
  batches,
  processes,
];
