import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Contender, Measure } from './alternate.js';

const run = promisify(execFile);

/** A whole process: node starts, imports, builds a Nest application and reads a key. */
export function startMeasure(endpoint: string): Measure {
  return {
    title: 'process start to first answer, in a Nest application',
    unit: 'ms',
    // No target: beside the read it connects to every endpoint and takes a lease, which plain etcd3 does not.
    rounds: 12,
    contenders: [
      starter('plain etcd3', './start-plain.mjs', endpoint),
      starter('library', './start-library.mjs', endpoint),
    ],
  };
}

function starter(name: string, file: string, endpoint: string): Contender {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return {
    name,
    async run() {
      const { stdout } = await run(process.execPath, [path, endpoint]);
      return Number(stdout.trim());
    },
  };
}
