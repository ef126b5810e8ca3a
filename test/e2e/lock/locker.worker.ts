/** A process whose workers take one lock over and over, and note down what they see. */
import 'reflect-metadata';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { LockHandle } from '../../../libs/etcd-coordination/src/lock/lock-handle.js';
import type { LockOptions } from '../../../libs/etcd-coordination/src/lock/lock-options.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { type Desk, LockTurn } from './lock-turn.js';
import { LockNotebook } from './lock-notebook.js';
import { LOCK, LockerInstance } from './locker-instance.js';

const [id, notes, endpoints, ttl, seed] = process.argv.slice(2) as [
  ...[id: string, notes: string, endpoints: string, ttl: string, seed: string],
];
/** The last of them stands in etcd's queue by itself; the others share a place. */
const WORKERS = 3;
const DRAIN_MS = 5_000;

const say = (message: object) => console.log(JSON.stringify(message));
const book = new LockNotebook(notes, id);
const random = new SeededRandom(Number(seed));
process.on('unhandledRejection', (error) => noteFault('an unhandled rejection', error));
process.on('uncaughtExceptionMonitor', (error) => noteFault('an uncaught exception', error));

const instance = await startedSometime();
let writes = 0;
const desk: Desk = {
  ...{ instance, book, random, underWay: new Set<Promise<void>>() },
  nextWrite: () => `${id}-${(writes += 1)}`,
};
const stop = new AbortController();

/** A process that is started again may find etcd without a leader. */
async function startedSometime(): Promise<LockerInstance> {
  for (;;) {
    try {
      return await LockerInstance.start(id, endpoints.split(','), Number(ttl));
    } catch {
      await pause(100);
    }
  }
}

async function worker(index: number): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      await turn(optionsFor(index));
    } catch (error) {
      noteWithout(error);
      // What is refused at once would be asked for again at once.
      await pause(random.int(5, 20));
    }
  }
}

function optionsFor(index: number): LockOptions {
  const queue = index === WORKERS - 1 && random.chance(0.7) ? 'etcd' : 'local';
  const keep = random.chance(0.3);
  // Some give up waiting, and must leave nothing behind that anyone waits for.
  if (random.chance(0.1)) return { queue, keep, waitMs: random.int(0, 400) };
  if (random.chance(0.1)) return { queue, keep, signal: AbortSignal.timeout(random.int(1, 400)) };
  return { queue, keep };
}

async function turn(options: LockOptions): Promise<void> {
  const how = `${options.queue}${options.keep ? ' keep' : ''}`;
  if (random.chance(0.6)) return used(`using ${how}`, options);
  const lock = random.chance(0.1)
    ? await instance.locks.tryAcquire(LOCK, options)
    : await instance.locks.acquire(LOCK, options);
  if (!lock) {
    book.note({ type: 'without', code: 'not free' });
    return pause(random.int(5, 20));
  }
  try {
    await new LockTurn(desk, lock, `acquire ${how}`).work();
  } finally {
    await lock.release().catch((error: unknown) => noteFault('release()', error));
  }
}

async function used(how: string, options: LockOptions): Promise<void> {
  let last: { token: string; validAtEnd: boolean } | undefined;
  const work = async (lock: LockHandle) => {
    await new LockTurn(desk, lock, how).work();
    last = { token: lock.token.toString(), validAtEnd: lock.isValid() };
  };
  try {
    await instance.locks.using(LOCK, work, options);
    if (last) book.note({ type: 'used', outcome: 'resolved', ...last });
    else noteFault('using()', new Error('It resolved, and its work had not run.'));
  } catch (error) {
    if (last && codeOf(error) === 'LOCK_LOST')
      book.note({ type: 'used', outcome: 'lost', ...last });
    else throw error;
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

/** An error of the library has a code and says what was wrong; any other is a fault of its own. */
function noteWithout(error: unknown): void {
  const code = codeOf(error);
  if (typeof code === 'string' && /^[A-Z_]+$/.test(code)) book.note({ type: 'without', code });
  else noteFault('an attempt', error);
}

function noteFault(where: string, error: unknown): void {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  book.note({ type: 'fault', message: `${where}: ${what}` });
}

const input = createInterface({ input: process.stdin }).on('line', () => stop.abort());
say({ type: 'started' });
const all = Promise.all(Array.from({ length: WORKERS }, (_, index) => worker(index)));
await once(stop.signal, 'abort');
// Whoever still waits is told that there is nothing more to be had.
await instance.locks.drain(DRAIN_MS);
await all;
await Promise.all(desk.underWay);
await instance.close(DRAIN_MS);
input.close();
process.stdin.destroy();
// Nothing of the library may hold the process now.
say({ type: 'closed' });
