import { join } from 'node:path';
import type { EtcdCluster } from '../../support/etcd-cluster.js';
import { type LockNote, presentHolder } from '../../support/lock-history.js';
import type { SeededRandom } from '../../support/seeded-random.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { WorkerProcess } from '../../support/worker-process.js';
import { NotebookReader } from './lock-notebook.js';

const file = new URL('./locker.worker.ts', import.meta.url);
const START_MS = 30_000;

/** A place for one process after the other, with a way of its own to each member of etcd. */
export interface Slot {
  readonly index: number;
  readonly ways: readonly TcpProxy[];
  worker: WorkerProcess;
  /** `2.1` is the first successor of `2.0`. */
  id: string;
  incarnation: number;
  /** A fault is upon it: no other may choose it. */
  busy: boolean;
}

/** The present holder, standing still, and what it holds. */
export interface Caught {
  readonly slot: Slot;
  readonly token: string;
}

/** Processes that contend for one lock, and all that they noted. */
export class LockFleet {
  readonly slots: Slot[] = [];
  readonly notes: LockNote[] = [];
  private readonly readers: NotebookReader[] = [];

  constructor(
    private readonly cluster: EtcdCluster,
    private readonly folder: string,
    private readonly ttlSeconds: number,
    private readonly random: SeededRandom,
  ) {}

  async start(size: number): Promise<void> {
    for (let index = 0; index < size; index += 1) {
      const ways = await Promise.all(
        this.cluster.members.map(({ server }) => TcpProxy.start({ target: server.address })),
      );
      const { worker, id } = await this.spawn(index, 0, ways);
      this.slots.push({ index, ways, worker, id, incarnation: 0, busy: false });
    }
    await Promise.all(
      this.slots.map(({ worker }) => worker.message('started', { timeoutMs: START_MS })),
    );
  }

  /** Another process in the place of one that has ended; resolves before it has its lease. */
  async succeed(slot: Slot): Promise<void> {
    const incarnation = slot.incarnation + 1;
    const { worker, id } = await this.spawn(slot.index, incarnation, slot.ways);
    Object.assign(slot, { worker, id, incarnation });
  }

  /**
   * Stops the present holder with SIGSTOP, certain that it is that: what it noted before it stood still
   * says that it has the lock and has not begun to give it back.
   */
  async catchHolder(timeoutMs: number): Promise<Caught | null> {
    const until = performance.now() + timeoutMs;
    while (performance.now() < until) {
      const caught = this.tryToCatch();
      if (caught) return caught;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return null;
  }

  /** Everything that was noted so far. */
  look(): readonly LockNote[] {
    for (const reader of this.readers) this.notes.push(...reader.read());
    return this.notes;
  }

  /** The first note after the present ones, or among them from `from` on, that the predicate likes. */
  noted(likes: (note: LockNote) => boolean, what: string, timeoutMs: number): Promise<LockNote> {
    return waitFor(() => this.look().find(likes), { what, timeoutMs, intervalMs: 20 });
  }

  /** Ends every fault; those that were killed have successors already. */
  async heal(): Promise<void> {
    for (const { worker } of this.slots) if (worker.running) worker.thaw();
    await Promise.all(this.slots.flatMap(({ ways }) => ways.map((way) => way.pass())));
  }

  /** Asks all to end, and resolves with the ids of those that did not end by themselves. */
  async finish(timeoutMs: number): Promise<string[]> {
    for (const { worker } of this.slots) worker.send({ stop: true });
    const ended = await Promise.all(
      this.slots.map(({ worker }) =>
        waitFor(() => !worker.running, { what: 'the end of a process', timeoutMs }).catch(
          () => false,
        ),
      ),
    );
    return this.slots.flatMap(({ id, worker }, index) =>
      ended[index] && worker.exitCode === 0 ? [] : [`${id}: ${worker.output(10)}`],
    );
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.slots.map(async ({ worker, ways }) => {
        await worker.kill();
        await Promise.all(ways.map((way) => way.close()));
      }),
    );
    this.look();
    for (const reader of this.readers) reader.close();
  }

  private tryToCatch(): Caught | null {
    const [slot, token] = this.holder() ?? [];
    if (!slot || slot.busy || !slot.worker.running) return null;
    slot.worker.freeze();
    const [still, held] = this.holder() ?? [];
    if (still === slot && held === token && this.heldValidly(slot.id, held)) {
      slot.busy = true;
      return { slot, token: held };
    }
    slot.worker.thaw();
    return null;
  }

  private holder(): [Slot, string] | null {
    // The last grants are enough, and the history grows.
    const holder = presentHolder(this.look().slice(-2000));
    const slot = this.slots.find(({ id }) => id === holder?.process);
    return holder && slot ? [slot, holder.token] : null;
  }

  private heldValidly(process: string, token: string | undefined): token is string {
    return this.notes
      .slice(-2000)
      .some((note) => note.type === 'valid' && note.process === process && note.token === token);
  }

  private async spawn(index: number, incarnation: number, ways: readonly TcpProxy[]) {
    const id = `${index}.${incarnation}`;
    const path = join(this.folder, `${id}.jsonl`);
    this.readers.push(new NotebookReader(path));
    const endpoints = ways.map((way) => way.url).join(',');
    const seed = `${this.random.int(0, 2 ** 31)}`;
    const args = [id, path, endpoints, `${this.ttlSeconds}`, seed];
    return { id, worker: await WorkerProcess.start(file, { args }) };
  }
}
