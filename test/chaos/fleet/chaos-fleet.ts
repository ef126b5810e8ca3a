import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SeededRandom } from '../../support/seeded-random.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor, within } from '../../support/wait-for.js';
import { WorkerProcess } from '../../support/worker-process.js';
import type { LifeNote, Note } from '../history/note.js';
import { Notebook } from '../history/notebook.js';
import type { Access, SystemName } from '../systems/system.js';
import type { WorkerMessageIn, WorkerOrder } from '../worker/worker-order.js';
import type { ChaosWork, Holder } from '../works/work.js';
import type { Caught, Fleet, Slot } from './fleet.js';
import { NoteStore, type NoteListener } from './note-store.js';
import { kindOf, PresentHolders } from './present-holders.js';

const WORKER = new URL('../worker/chaos.worker.ts', import.meta.url);
const MUTANTS = new URL('../mutants/register.mjs', import.meta.url);
const START_MS = 60_000;
/** Draining takes 5 s of it at most, and each step of a shutdown has a call that must time out. */
const END_MS = 40_000;
/** As a supervisor that does not want to start a process that cannot run over and over. */
const RESPAWN_MS = 500;
/** For so long a catch waits for a holder of the kind that was caught least often. */
const PATIENCE_MS = 1_000;

export interface FleetOptions {
  /** Where the notebooks are. */
  readonly folder: string;
  /** `host:port` of each member, in the order of the cluster's. */
  readonly members: readonly string[];
  readonly system: SystemName;
  /** Those that the system cannot do are left out. */
  readonly works: readonly ChaosWork[];
  readonly access: Pick<Access, 'namespace' | 'ttlSeconds' | 'auth' | 'caFile'>;
  readonly random: SeededRandom;
  /** See {@link WorkerOrder.rate}. Default 1. */
  readonly rate?: number;
  /** A deliberate fault in the library that the workers run; see `mutants/`. */
  readonly mutant?: string;
}

/** A slot as the fleet itself sees it. */
interface OwnSlot extends Slot {
  worker: WorkerProcess;
  id: string;
  incarnation: number;
}

/** The worker processes of a run, each with a way of its own to each member of etcd. */
export class ChaosFleet implements Fleet {
  readonly slots: OwnSlot[] = [];
  /** Processes that were killed as a fault. */
  readonly killed = new Set<string>();
  /** Processes that were asked to end, and with which exit code they did; null if they had to be killed. */
  readonly ends = new Map<string, number | null>();
  /** What went wrong with the fleet itself, as whole sentences: not the fault of what is under test. */
  readonly problems: string[] = [];
  /** Where the run itself notes; read with the others. */
  readonly book: Notebook;
  private readonly store: NoteStore;
  private readonly holders = new PresentHolders();
  private readonly expected = new Set<string>();
  private readonly successions = new Set<Promise<void>>();
  /** How often a holder of each kind was caught. */
  private readonly caught = new Map<string, number>();
  /** From the start to the finish: who ends meanwhile is succeeded. */
  private running = false;

  constructor(private readonly options: FleetOptions) {
    this.store = new NoteStore(options.folder);
    this.book = new Notebook(this.store.open('run'), 'run');
    this.store.listen((note) => this.holders.take(note));
  }

  /** Resolves when all have started. */
  async start(size: number): Promise<void> {
    for (let index = 0; index < size; index += 1) {
      const ways = await Promise.all(
        this.options.members.map((target) => TcpProxy.start({ target })),
      );
      const { worker, id } = await this.spawn(index, 0, ways);
      this.slots.push({ index, ways, worker, id, incarnation: 0, busy: false });
    }
    const started = new Set<string>();
    this.listen(
      (note) => note.work === 'life' && note.type === 'started' && started.add(note.process),
    );
    const ended = () => this.slots.some(({ worker }) => !worker.running);
    await waitFor(() => (this.look() && started.size === size) || ended(), {
      timeoutMs: START_MS,
      intervalMs: 50,
      what: () => `the workers to start. Their output:\n${this.outputs()}`,
    });
    if (ended()) throw new Error(`A worker ended as it started.\n${this.outputs()}`);
    this.running = true;
  }

  /** The same array at each look, longer. */
  look(): readonly Note[] {
    return this.store.look();
  }

  /** The notes of one work as they were read: those of one process in their order. The same array, longer. */
  notesOf(work: string): readonly Note[] {
    return this.store.of(work);
  }

  /** To be told of each note from now on, as it is read. */
  listen(listener: NoteListener): void {
    this.store.listen(listener);
  }

  noted(likes: (note: Note) => boolean, what: string, timeoutMs: number): Promise<Note> {
    let seen = 0;
    const next = () => {
      const notes = this.look();
      while (seen < notes.length) {
        const note = notes[seen++]!;
        if (likes(note)) return note;
      }
      return null;
    };
    return waitFor(next, { what, timeoutMs, intervalMs: 20 });
  }

  async catchHolder(timeoutMs: number): Promise<Caught | null> {
    const from = performance.now();
    while (performance.now() - from < timeoutMs && this.running) {
      this.look();
      const isPatient = performance.now() - from < Math.min(PATIENCE_MS, timeoutMs / 2);
      const caught = this.tryToCatch(isPatient);
      if (caught) return caught;
      await pause(2);
    }
    return null;
  }

  takeFree(): Slot | null {
    const free = this.slots.filter(({ busy, worker }) => !busy && worker.running);
    const slot = free[this.options.random.int(0, free.length - 1)];
    if (!slot) return null;
    slot.busy = true;
    return slot;
  }

  async kill(slot: Slot): Promise<void> {
    const { worker, id } = slot;
    this.killed.add(id);
    this.expected.add(id);
    await worker.kill();
    this.ended(id);
  }

  async succeed(slot: Slot): Promise<void> {
    const own = this.slots[slot.index]!;
    const incarnation = own.incarnation + 1;
    const { worker, id } = await this.spawn(own.index, incarnation, own.ways);
    Object.assign(own, { worker, id, incarnation });
  }

  tell(slot: Slot, order: WorkerMessageIn): void {
    slot.worker.send(order);
  }

  async end(slot: Slot): Promise<number | null> {
    return this.askToEnd(slot, END_MS);
  }

  /** Ends every fault upon the processes and their ways. Those that were killed have successors already. */
  async heal(): Promise<void> {
    for (const { worker } of this.slots) if (worker.running) worker.thaw();
    await Promise.all(this.slots.flatMap(({ ways }) => ways.map((way) => way.pass())));
  }

  /**
   * Asks all to end, side by side, and resolves with those that did not end by themselves with exit code 0, and
   * their last output.
   */
  async finish(timeoutMs = END_MS): Promise<string[]> {
    this.running = false;
    const ended = await Promise.all(
      this.slots.map(async (slot) => {
        const code = await this.askToEnd(slot, timeoutMs);
        return code === 0 ? [] : [`${slot.id} ended with ${code}: ${slot.worker.output(10)}`];
      }),
    );
    this.look();
    return ended.flat();
  }

  /** Leaves nothing running. */
  async stop(): Promise<void> {
    this.running = false;
    // Whoever takes a place at this moment is to be stopped too.
    await Promise.all(this.successions);
    await Promise.all(
      this.slots.map(async ({ id, worker, ways }) => {
        this.expected.add(id);
        await worker.kill();
        await Promise.all(ways.map((way) => way.close()));
      }),
    );
    this.look();
    this.store.close();
    this.book.close();
  }

  /**
   * Somebody always leads, and locks are held for moments: who is patient waits for a holder of what was caught
   * least often so far.
   */
  private tryToCatch(isPatient: boolean): Caught | null {
    const { random } = this.options;
    const rarest = Math.min(...[...this.holders.kinds].map((kind) => this.caught.get(kind) ?? 0));
    const present = this.holders
      .newest()
      .filter(({ of }) => !isPatient || (this.caught.get(kindOf(of)) ?? 0) === rarest);
    while (present.length > 0) {
      const [holder] = present.splice(random.int(0, present.length - 1), 1) as [Holder];
      const slot = this.slots.find(({ id }) => id === holder.process);
      if (!slot || slot.busy || !slot.worker.running) continue;
      slot.worker.freeze();
      this.store.read(slot.id);
      if (this.holders.has(holder)) {
        slot.busy = true;
        const kind = kindOf(holder.of);
        this.caught.set(kind, (this.caught.get(kind) ?? 0) + 1);
        return { ...holder, slot };
      }
      slot.worker.thaw();
    }
    return null;
  }

  private async askToEnd({ id, worker }: Slot, timeoutMs: number): Promise<number | null> {
    if (!worker.running) return this.ends.get(id) ?? null;
    this.expected.add(id);
    worker.send({ stop: true });
    const what = `the end of ${id}`;
    const byItself = await within(worker.exit(), { what, timeoutMs }).then(
      () => true,
      () => false,
    );
    const code = byItself ? worker.exitCode : null;
    this.ends.set(id, code);
    await worker.kill();
    this.ended(id);
    return code;
  }

  private async spawn(index: number, incarnation: number, ways: readonly TcpProxy[]) {
    const { access, system, works, random, mutant, rate = 1 } = this.options;
    const id = `${index}.${incarnation}`;
    const scheme = access.caFile === undefined ? 'http' : 'https';
    const order: WorkerOrder = {
      ...{ id, system, rate, notebook: this.store.open(id), seed: random.int(0, 2 ** 31) },
      access: {
        ...access,
        endpoints: ways.map(({ address }) => `${scheme}://${address}`),
        instanceId: id,
        snapshotFile: join(this.options.folder, `${index}.snapshot`),
      },
      parts: works.flatMap(({ name, parts }) => {
        const module = parts[system];
        return module ? [{ work: name, module: module.href }] : [];
      }),
    };
    const worker = await WorkerProcess.start(WORKER, {
      args: [JSON.stringify(order)],
      ...(mutant !== undefined && {
        nodeArgs: ['--import', MUTANTS.href],
        env: { CHAOS_MUTANT: mutant },
      }),
    });
    void worker.exit().then(() => this.attend(this.foundEnded(index, id, worker)));
    return { id, worker };
  }

  /** What goes on by itself until {@link stop}; whatever fails of it makes the run worth nothing. */
  private attend(succession: Promise<void>): void {
    const attended = succession.catch((error: unknown) => {
      this.problems.push(`A process that ended could not be succeeded: ${String(error)}.`);
    });
    this.successions.add(attended);
    void attended.then(() => this.successions.delete(attended));
  }

  /** A process that ended though nobody had asked it to: it is said, and its place taken as a supervisor would. */
  private async foundEnded(index: number, id: string, worker: WorkerProcess): Promise<void> {
    if (this.expected.has(id) || !this.running) return;
    const message = `${id} ended by itself with code ${worker.exitCode}: ${worker.output(15)}`;
    this.book.of<LifeNote>('life').note({ type: 'fault', message });
    this.ended(id);
    const slot = this.slots[index]!;
    await pause(RESPAWN_MS);
    if (slot.id === id && this.running) await this.succeed(slot);
  }

  private ended(id: string): void {
    this.store.closeOne(id);
    this.holders.forget(id);
  }

  private outputs(): string {
    return this.slots.map(({ id, worker }) => `${id}: ${worker.output(10)}`).join('\n');
  }
}
