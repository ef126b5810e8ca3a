import { KNOWN_LINES } from '../../support/etcd-fetch/etcd-line.js';
import { MUTANTS } from '../mutants/index.js';
import { FAULTS } from '../nemesis/faults/index.js';
import { WORKS } from '../works/index.js';
import type { KnownNames } from './chaos-command.js';

/** Every name that the command line understands. */
export function knownNames(): KnownNames {
  return {
    lines: KNOWN_LINES.map(({ name }) => name),
    works: WORKS.map(({ name }) => name),
    faults: FAULTS.map(({ kind }) => kind),
    mutants: MUTANTS.map(({ name }) => name),
  };
}
