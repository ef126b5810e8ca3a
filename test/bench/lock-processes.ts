import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Turns } from './lock-turns.js';

const LOADER = new URL('../../scripts/ts-loader/register.mjs', import.meta.url).href;
const WORKER = fileURLToPath(new URL('./locks.worker.ts', import.meta.url));

interface Contestant {
  readonly child: ChildProcess;
  /** Rejects when it has ended, though it was not told to. */
  readonly over: Promise<never>;
}

/** Processes that contend for locks, each with a session and workers of its own. They stand until closed. */
export class LockProcesses {
  private children: Promise<Contestant[]> | null = null;

  constructor(
    private readonly endpoint: string,
    readonly count: number,
  ) {}

  /** Starts them, the first time. */
  start(): Promise<Contestant[]> {
    return (this.children ??= Promise.all(
      Array.from({ length: this.count }, (_, index) => this.fork(`process-${index}`)),
    ));
  }

  /** Has each take turns; the counts of all workers of all. */
  async takeTurns(turns: Turns): Promise<number[]> {
    const counts = (await this.start()).map(async ({ child, over }) => {
      const answer = Promise.race([once(child, 'message'), over]);
      child.send(turns);
      return (await answer)[0] as number[];
    });
    return (await Promise.all(counts)).flat();
  }

  async close(): Promise<void> {
    if (!this.children) return;
    const children = await this.children;
    const gone = children.map(({ child }) => once(child, 'exit'));
    for (const { child } of children) child.send('end');
    await Promise.all(gone);
  }

  private async fork(instanceId: string): Promise<Contestant> {
    const child = fork(WORKER, [this.endpoint, instanceId], {
      execArgv: ['--import', LOADER],
      // For the bounds of time, which are of nanoseconds.
      serialization: 'advanced',
    });
    const over = once(child, 'exit').then(([code]) => {
      throw new Error(`A process that contends for locks ended with ${code} amid its turns.`);
    });
    // That it ends once it is told to is no failure.
    over.catch(() => undefined);
    await Promise.race([once(child, 'message'), over]);
    return { child, over };
  }
}
