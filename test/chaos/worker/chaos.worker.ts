/** A process of an application under chaos: it runs a system with the parts of all works, and notes what it sees. */
import './wall-clock.js';
import 'reflect-metadata';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { SeededRandom } from '../../support/seeded-random.js';
import type { LifeNote } from '../history/note.js';
import { Notebook } from '../history/notebook.js';
import type { SystemModule, SystemUnderTest } from '../systems/system.js';
import type { Running, WorkerPart } from '../works/work.js';
import { jumpWallClock } from './wall-clock.js';
import type { WorkerMessageIn, WorkerOrder } from './worker-order.js';

const RETRY_MS = 200;

const order = JSON.parse(process.argv[2]!) as WorkerOrder;
const { id, access, rate } = order;
const notebook = new Notebook(order.notebook, id);
const life = notebook.of<LifeNote>('life');
const random = new SeededRandom(order.seed);
const stop = new AbortController();

process.on('unhandledRejection', (error) => fault('an unhandled rejection', error));
process.on('uncaughtExceptionMonitor', (error) => fault('an uncaught exception', error));

const input = createInterface({ input: process.stdin });
input.on('line', (line) => obey(JSON.parse(line) as WorkerMessageIn));
// Who started this process has ended: nobody is left to ask for anything.
input.on('close', () => stop.abort());

const parts = await Promise.all(
  order.parts.map(async ({ work, module }) => {
    const { part } = (await import(module)) as { part: WorkerPart };
    return { work, part };
  }),
);

const system = await startedSometime();
if (system) await live(system);
input.close();
process.stdin.destroy();
// What still holds the process now is not of this file.

async function live(system: SystemUnderTest): Promise<void> {
  const running: Running[] = await Promise.all(
    parts.map(({ work, part }) =>
      part.start({
        ...{ process: id, system, rate, fault, namespace: access.namespace },
        ...{ book: notebook.of(work), random: new SeededRandom(random.int(0, 2 ** 31)) },
      }),
    ),
  );
  life.note({ type: 'started' });
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  life.note({ type: 'closing' });
  const stopped = Promise.all(running.map((part) => part.stop()));
  await Promise.all([stopped, system.close(stopped)]).catch((error: unknown) =>
    fault('close()', error),
  );
  life.note({ type: 'closed' });
}

/** A process that is started in an outage may find no etcd; its supervisor would start it again and again. */
async function startedSometime(): Promise<SystemUnderTest | null> {
  const { system: kind } = (await import(`../systems/${order.system}/index.js`)) as {
    system: SystemModule;
  };
  while (!stop.signal.aborted) {
    try {
      return await kind.start(
        access,
        parts.map(({ part }) => part),
      );
    } catch (error) {
      if (!kind.isOutage(error)) fault('the start', error);
      await pause(RETRY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }
  return null;
}

function obey(message: WorkerMessageIn): void {
  if ('stop' in message) stop.abort();
  else if ('jump' in message) {
    jumpWallClock(message.jump);
    life.note({ type: 'clock-jumped', byMs: message.jump });
  } else {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.block);
    life.note({ type: 'unblocked', afterMs: message.block });
  }
}

function fault(where: string, error: unknown): void {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  life.note({ type: 'fault', message: `${where}: ${what}` });
}
