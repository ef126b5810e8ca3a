import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { waitFor, within } from '../../support/wait-for.js';
import { WorkerProcess, type WorkerMessage } from '../../support/worker-process.js';
import { machineNow } from './machine-clock.js';

const TTL_SECONDS = 2;
const file = new URL('./candidate.worker.ts', import.meta.url);
const lines = await availableEtcdLines();

/** Processes in one election, and all that they told. */
class Fleet {
  readonly workers: WorkerProcess[] = [];
  /** When a process was killed: whatever it believed, that is the end of its term. */
  private readonly killed = new Map<WorkerProcess, number>();

  constructor(private readonly endpoint: string) {}

  async add(): Promise<WorkerProcess> {
    const id = `w${this.workers.length}`;
    const args = [this.endpoint, id, 'processes', `${TTL_SECONDS}`];
    const worker = await WorkerProcess.start(file, { args });
    this.workers.push(worker);
    await worker.message('joined');
    return worker;
  }

  /** The next win after a moment of the machine's clock, and whose it is. */
  async elected(after: number): Promise<{ worker: WorkerProcess; message: Elected }> {
    const find = () =>
      this.workers
        .flatMap((worker) => worker.messages.map((message) => ({ worker, message })))
        .find(({ message }) => message['type'] === 'elected' && Number(message['now']) > after);
    const found = await waitFor(find, { what: 'somebody to lead', intervalMs: 2 });
    return found as { worker: WorkerProcess; message: Elected };
  }

  async kill(worker: WorkerProcess): Promise<number> {
    const now = machineNow();
    this.killed.set(worker, now);
    await worker.kill();
    return now;
  }

  /** Every term as its process could have used it. */
  terms(): { id: unknown; epoch: bigint; from: number; to: number }[] {
    const terms = this.workers.flatMap((worker) => {
      const of = (type: string) => worker.messages.filter((m) => m['type'] === type);
      return of('elected').map(({ id, epoch, now }) => {
        const end = of('ended').find((m) => m['epoch'] === epoch);
        const to = end ? Number(end['lastValid']) : (this.killed.get(worker) ?? Infinity);
        return { id, epoch: BigInt(epoch as string), from: Number(now), to };
      });
    });
    return terms.sort((a, b) => a.from - b.from);
  }

  stop(): Promise<unknown> {
    return Promise.all(this.workers.map((worker) => worker.kill()));
  }
}

type Elected = WorkerMessage & { now: number; epoch: string };

describe.concurrent.each(lines)('processes that compete on etcd %s', (line) => {
  let server: EtcdServer;
  let fleet: Fleet;

  beforeAll(async () => {
    server = await EtcdServer.start({ line });
    fleet = new Fleet(server.endpoint);
    for (let count = 0; count < 3; count += 1) await fleet.add();
  });
  afterAll(async () => {
    await fleet?.stop();
    await server?.kill();
  });

  it('have one leader at any moment, through freezes, kills, blocked loops and stops', async () => {
    // Frozen for three times its TTL, the leader wakes up knowing, and its late write is refused.
    let { worker: leader, message: win } = await fleet.elected(0);
    leader.freeze();
    const afterFreeze = await fleet.elected(win.now);
    await waitFor(() => machineNow() > afterFreeze.message.now + 2 * TTL_SECONDS * 1000, {
      what: 'three TTLs to pass',
      intervalMs: 100,
    });
    leader.thaw();
    await expectLateWriteRefused(leader, win);

    // Killed, it is followed within the TTL that was granted and 0.7 s.
    ({ worker: leader, message: win } = afterFreeze);
    const ttlMs = Number((await leader.message('joined'))['ttlMs']);
    expect(leader.messages.filter((m) => m['type'] === 'ended')).toEqual([]);
    const killedAt = await fleet.kill(leader);
    const afterKill = await fleet.elected(win.now);
    const takeOverMs = afterKill.message.now - killedAt;
    console.log(
      `etcd ${line}: take-over after kill -9 in ${takeOverMs.toFixed(0)} ms, TTL ${ttlMs}`,
    );
    expect(takeOverMs).toBeLessThanOrEqual(ttlMs + 700);

    // With its event loop blocked past its TTL, it knows in the same turn of the loop.
    ({ worker: leader, message: win } = afterKill);
    leader.send({ blockMs: 1.5 * TTL_SECONDS * 1000 });
    const afterBlock = await fleet.elected(win.now);
    await expectLateWriteRefused(leader, win);

    // Stopped in order, it hands over at once and its process ends by itself.
    ({ worker: leader, message: win } = afterBlock);
    await fleet.add();
    leader.send({ close: true });
    const closed = await leader.message('closed');
    const afterStop = await fleet.elected(win.now);
    expect(afterStop.message.now).toBeLessThanOrEqual(Number(closed['now']));
    expect(await within(leader.exit(), { what: 'the process to end by itself' })).toBe(0);
    const exit = await leader.message('exit');
    expect(Number(exit['now']) - Number(closed['now'])).toBeLessThanOrEqual(1000);

    const terms = fleet.terms();
    expect(terms.length).toBeGreaterThanOrEqual(5);
    for (const [index, next] of terms.slice(1).entries()) {
      const term = terms[index]!;
      expect(term.to, `the end of ${term.epoch} before ${next.epoch}`).toBeLessThan(next.from);
      expect(next.epoch).toBeGreaterThan(term.epoch);
    }
  }, 90_000);
});

async function expectLateWriteRefused(worker: WorkerProcess, { epoch }: Elected): Promise<void> {
  const of = (type: string) =>
    worker.message((m) => m['type'] === type && m['epoch'] === epoch, { timeoutMs: 30_000 });
  expect(await of('woke')).toMatchObject({ aborted: true, valid: false });
  expect(await of('wrote')).toMatchObject({ succeeded: false });
}
