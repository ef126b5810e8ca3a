import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { waitFor, within } from '../../support/wait-for.js';
import { Fleet, TTL_MS } from './fleet/fleet.js';
import { SERVICE } from './fleet/fleet-options.js';

const lines = await availableEtcdLines();
describeAtOnce(lines, 'a service that is called all the time', (line) => {
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await Fleet.start(line, 1);
    await fleet.fill(3);
  }, 120_000);
  beforeEach(() => fleet.fill(3), 60_000);
  afterAll(() => fleet?.stop());

  it('loses no call of any kind while an instance is stopped in order', async () => {
    const { callers, here } = fleet;
    fleet.begin({ begin: ['GET', 'POST'] });
    await fleet.moreCalls(40);
    const leaving = fleet.takeOne();
    const others = fleet.instances;
    const exclude = new Set(others.map(({ id }) => id));
    const held = Array.from({ length: 3 }, async () => {
      const path = `service://${SERVICE}/held`;
      const response = await here.discovery.fetch(path, { method: 'POST', exclude });
      return response.text();
    });
    await leaving.worker.message(({ held: many }) => many === held.length);
    await leaving.worker.stop();
    // What was asked of it was still on its way when its servers began to close.
    expect(await leaving.worker.message('closing')).toMatchObject({ held: held.length });
    expect(await Promise.all(held)).toEqual(Array(held.length).fill(leaving.id));
    const { applied } = await leaving.worker.message('closed');
    expect(leaving.worker.exitCode).toBe(0);
    await fleet.isListed();
    await fleet.moreCalls(40);
    const reports = await fleet.end();

    expect(fleet.failures).toEqual([]);
    for (const { lists } of callers) {
      // Nobody was left to find out by its death.
      const last = lists.findLast(({ list }) => list.some(({ id }) => id === leaving.id));
      expect(last!.list.find(({ id }) => id === leaving.id)!.state).toBe('draining');
    }
    const calls = reports.map(({ GET, POST }) => GET + POST);
    console.log(
      `etcd ${line}: an instance left under a load of ${calls.join(' and ')} calls, none failed; it had answered ${String(applied)} POSTs`,
    );
  }, 60_000);

  it('loses no call that may be repeated when an instance is killed, and leaves that alone', async () => {
    const { callers, here } = fleet;
    // By latency alone it would hardly be called often enough to be ejected.
    callers[0]!.begin({ begin: ['GET'], strategy: 'round-robin' });
    callers[1]!.begin({ begin: ['GET'] });
    await fleet.moreCalls(40);
    const dead = fleet.takeOne();
    const slow = Array.from({ length: 9 }, async () => {
      const path = `service://${SERVICE}/slow`;
      const response = await here.discovery.fetch(path, { strategy: 'round-robin' });
      return response.text();
    });
    await dead.worker.message('asked');
    const killedAt = performance.now();
    await dead.worker.kill();

    const ejected = () => here.discovery.statuses()[0]!.ejected === 1;
    await waitFor(ejected, { what: 'it to be ejected', intervalMs: 1 });
    const ejectedMs = performance.now() - killedAt;
    expect((await fleet.records()).map(({ id }) => id)).toContain(dead.id);
    const requested = here.calling.requestsOf(dead.address);
    await fleet.moreCalls(40);
    expect(callers[0]!.list.map(({ id }) => id)).toContain(dead.id);
    expect(here.calling.requestsOf(dead.address)).toBe(requested);

    // Some were on their way there.
    expect(await Promise.all(slow)).not.toContain(dead.id);

    await fleet.isListed();
    const goneMs = callers.map(({ lists }) => {
      const gone = lists.find(
        ({ at, list }) => at > killedAt && !list.some(({ id }) => id === dead.id),
      );
      return gone!.at - killedAt;
    });
    await fleet.moreCalls(20);
    const reports = await within(fleet.end(), { what: 'the calls to end' });
    expect(fleet.failures).toEqual([]);
    expect(here.calling.requestsOf(dead.address)).toBe(requested);
    const vain = reports.map(({ requests }) => requests[dead.address]);
    console.log(
      `etcd ${line}, kill -9: ejected ${ejectedMs.toFixed(0)} ms, gone ${goneMs.map((ms) => ms.toFixed(0)).join(' and ')} ms after it, TTL ${TTL_MS} ms; of ${reports.map(({ GET }) => GET).join(' and ')} calls none failed; requests of it ${vain.join(' and ')}`,
    );
    for (const ms of goneMs) expect(ms).toBeLessThanOrEqual(TTL_MS + 700);
  }, 60_000);
});
