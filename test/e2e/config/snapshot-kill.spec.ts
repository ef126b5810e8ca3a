import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { decodeSnapshot } from '../../../libs/etcd-coordination/src/config/snapshot/snapshot-codec.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { WorkerProcess } from '../../support/worker-process.js';

const ROUNDS = 6;
const SIZE = 32 * 1024 * 1024;

it('a process that is killed in the middle of writing leaves a whole snapshot', async () => {
  const folder = tempFolder('killed');
  const file = join(folder, 'config.snapshot');
  const temporary = join(folder, '.config.snapshot.worker.tmp');
  let inTheMiddle = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const worker = await WorkerProcess.start(
      new URL('./snapshot-writer.worker.ts', import.meta.url),
      { args: [file, `${SIZE}`] },
    );
    await worker.message('wrote');
    // One write ends, the next one begins; and then a little further each time.
    await waitFor(() => !existsSync(temporary), { intervalMs: 1, what: 'a write to end' });
    while (!existsSync(temporary)) await turn();
    for (let further = 0; further < round * 40; further++) await turn();
    await worker.kill();
    if (existsSync(temporary)) inTheMiddle += 1;
    const { content } = decodeSnapshot(readFileSync(file), null);
    expect(content.configurations[0]!.documents[0]!.document).toHaveLength(SIZE);
  }
  // Otherwise nothing was tried.
  expect(inTheMiddle).toBeGreaterThan(0);
}, 120_000);
