import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EtcdServer } from '../../support/etcd-server.js';
import { waitFor } from '../../support/wait-for.js';
import type { WorkerProcess } from '../../support/worker-process.js';
import { machineNow } from '../election/machine-clock.js';
import { lastSlot, LimitFleet, slotsOf } from './limit-fleet.js';

const LIMIT = 1000;
const OFFERED = 1000;
const RULE = { limit: LIMIT, windowMs: 1000, mode: 'fleet' } as const;

const atMost = (rates: readonly number[]) => Math.max(...rates);
const atLeast = (rates: readonly number[]) => Math.min(...rates);

describe("a fleet's limit of 1,000/s on four processes", () => {
  let server: EtcdServer;
  let fleet: LimitFleet;
  beforeAll(async () => {
    server = await EtcdServer.start();
    fleet = new LimitFleet(server.endpoint, RULE);
    await Promise.all(Array.from({ length: 4 }, () => fleet.add(OFFERED)));
  });
  afterAll(async () => {
    await fleet?.stop();
    await server?.kill();
  });

  const until = (at: number) =>
    waitFor(() => machineNow() >= at, { what: 'time to pass', timeoutMs: 30_000, intervalMs: 50 });
  const shareOf = (worker: WorkerProcess) => lastSlot(worker)?.share ?? 0;

  it('is kept within 5 % for 20 s, one killed and one added meanwhile', async () => {
    const from = machineNow();
    await until(from + 5000);
    const killedAt = machineNow();
    await fleet.workers[0]!.kill();
    await until(killedAt + 6500);
    const added = await fleet.add(OFFERED);
    const [first] = slotsOf(added).filter(({ admitted }) => admitted > 0);
    const addedAt = first ? first.slot * 100 : machineNow();
    const to = Math.max(addedAt + 7000, from + 20_000);
    await until(to + 300);

    expect(atMost(fleet.rates(from, to, 1))).toBeLessThanOrEqual(1.1 * LIMIT);
    const steady = [
      ...fleet.rates(from, killedAt, 4),
      ...fleet.rates(killedAt + 1000, addedAt - 500, 5),
      ...fleet.rates(addedAt + 1000, to, 5),
    ];
    console.log(
      `over 5 s ${atLeast(steady).toFixed(0)} to ${atMost(steady).toFixed(0)} a second, in one second at most ${atMost(fleet.rates(from, to, 1))}`,
    );
    expect(atLeast(steady)).toBeGreaterThanOrEqual(0.95 * LIMIT);
    expect(atMost(steady)).toBeLessThanOrEqual(1.05 * LIMIT);
  }, 90_000);

  it('is lent to the one that is busy, and given back at once', async () => {
    const [busy, ...idle] = fleet.workers.filter(({ running }) => running) as [
      WorkerProcess,
      ...WorkerProcess[],
    ];
    const from = machineNow();
    for (const worker of idle) worker.send({ offer: 5 });
    await waitFor(() => shareOf(busy) > 0.7, { what: 'the busy one to borrow' });
    const busyFrom = machineNow();
    await until(busyFrom + 5000);
    expect(atLeast(fleet.rates(busyFrom + 500, machineNow() - 500, 2, [busy]))).toBeGreaterThan(
      0.65 * LIMIT,
    );
    for (const worker of idle) worker.send({ offer: OFFERED });
    await waitFor(() => idle.every((worker) => shareOf(worker) >= 0.25), {
      what: 'the others to have theirs again',
    });
    const to = machineNow();
    await until(to + 1500);
    expect(atMost(fleet.rates(from, to + 1000, 1))).toBeLessThanOrEqual(1.1 * LIMIT);
  }, 60_000);

  it('is not exceeded by one that was frozen, and finds its share divided', async () => {
    const running = fleet.workers.filter(({ running: runs }) => runs);
    const [frozen, ...others] = running as [WorkerProcess, ...WorkerProcess[]];
    const from = machineNow();
    frozen.freeze();
    await waitFor(() => others.every((worker) => shareOf(worker) > 0.3), {
      what: 'the others to take its share',
    });
    frozen.thaw();
    const thawedAt = machineNow();
    await waitFor(() => running.every((worker) => shareOf(worker) === 0.25), {
      what: 'all to have a quarter',
    });
    await until(thawedAt + 2500);
    expect(atMost(fleet.rates(from, thawedAt + 2000, 1))).toBeLessThanOrEqual(1.1 * LIMIT);
  }, 60_000);
});
