import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { waitFor } from './wait-for.js';
import { WorkerProcess } from './worker-process.js';

const file = new URL('./fixtures.worker.ts', import.meta.url);

it('runs TypeScript with injection by type, and talks with it', async () => {
  const worker = await WorkerProcess.start(file, { args: ['world'] });
  expect(await worker.message('ready')).toMatchObject({ text: 'hello world' });
  worker.send({ name: 'again' });
  expect(await worker.message('greeted')).toMatchObject({ text: 'hello again' });
  expect(worker.output()).toContain('not JSON');
  worker.send({ exit: 3 });
  expect(await worker.exit()).toBe(3);
  await expect(worker.message('never')).rejects.toThrow(/ended before it sent never/);
});

it('freezes, thaws and kills', async () => {
  const worker = await WorkerProcess.start(file);
  await worker.message('ready');
  worker.freeze();
  worker.send({ name: 'late' });
  await expect(worker.message('greeted', { timeoutMs: 200 })).rejects.toThrow(/in vain/);
  worker.thaw();
  await worker.message('greeted');
  await worker.kill();
  expect(worker.running).toBe(false);
});

it('leaves nothing behind, whatever ends the process that started it', async () => {
  const nest = new URL('./nested.worker.ts', import.meta.url);
  const outer = await WorkerProcess.start(nest);
  const { pid } = (await outer.message('child')) as unknown as { pid: number };
  expect(isAlive(pid)).toBe(true);
  await outer.kill();
  await waitFor(() => !isAlive(pid), { what: `process ${pid} to be gone` });
});

/** A zombie counts as gone: whoever inherits it may be slow to collect it. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
