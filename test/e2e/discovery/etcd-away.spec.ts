import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { leases, leaseTtl } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { waitFor } from '../../support/wait-for.js';
import type { EtcdMember } from '../../support/etcd-cluster.js';
import type { Caller } from './fleet/caller.js';
import { Fleet, TTL_MS } from './fleet/fleet.js';

const lines = await availableEtcdLines();
const newest = lines.at(-1);

/** How long etcd is away; more than a lease lasts, and once a minute. */
const SHORT_MS = 3 * TTL_MS;
const LONG_MS = 60_000;

describeAtOnce(lines, 'a service that is called all the time', (line) => {
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await Fleet.start(line, line === newest ? 3 : 1);
    await fleet.fill(3);
  }, 120_000);
  beforeEach(() => fleet.fill(3), 60_000);
  afterAll(() => fleet?.stop());

  const leasesOf = ({ list }: Caller) => list.map(({ lease }) => lease).join();

  it.each([
    ['is killed', SHORT_MS, (member: EtcdMember) => member.kill()],
    [
      'stands still',
      line === newest ? LONG_MS : SHORT_MS,
      async (member: EtcdMember) => member.freeze(),
    ],
  ])(
    'loses no call while all of etcd %s for %i ms, and has each instance back once',
    async (_, awayMs, end) => {
      const { cluster, callers } = fleet;
      const before = new Set((await fleet.records()).map(({ lease }) => lease));
      const known = await leases(fleet.endpoint);
      fleet.begin({ begin: ['GET', 'POST'] });
      await fleet.moreCalls(20);
      const failedAt = performance.now();
      await Promise.all(cluster.members.map(end));
      await waitFor(() => performance.now() > failedAt + awayMs, {
        timeoutMs: 2 * awayMs,
        intervalMs: 100,
        what: 'the outage to be long enough',
      });

      await cluster.heal();
      const healedAt = performance.now();
      const back = await waitFor(
        async () => {
          const records = await fleet.records();
          const now = records.map(({ lease }) => lease);
          const isNew = now.length === 3 && now.every((lease) => !before.has(lease));
          const list = records.map(({ lease }) => lease);
          return isNew && callers.every((caller) => leasesOf(caller) === list.join()) && records;
        },
        {
          timeoutMs: 30_000,
          what: () =>
            `all to be registered anew, and listed so, not as ${callers.map(leasesOf).join(' and ')}`,
        },
      );
      const backMs = performance.now() - healedAt;
      await fleet.moreCalls(20);
      const reports = await fleet.end();

      expect(fleet.failures).toEqual([]);
      for (const { lists } of callers) {
        const shown = lists.filter(({ at }) => at > failedAt).map(({ list }) => list);
        expect(shown.flat().filter(({ state }) => state !== 'up')).toEqual([]);
        expect(shown.filter((list) => list.length === 0)).toEqual([]);
      }
      expect(back.map(({ id }) => id)).toEqual(fleet.instances.map(({ id }) => id).sort());
      // An etcd that wakes up may end leases of after its waking once more; each is taken anew.
      await waitFor(
        async () => {
          const records = await fleet.records();
          const ttls = await Promise.all(
            records.map(({ lease }) => leaseTtl(fleet.endpoint, lease)),
          );
          return records.length === 3 && ttls.every((ttl) => ttl > 0);
        },
        { what: 'each record to be on a lease that lives' },
      );
      // Nothing of the time before is left that could take a record with it.
      await waitFor(async () => (await leases(fleet.endpoint)).length === known.length, {
        what: 'the old leases to be gone',
      });
      const calls = reports.reduce((sum, { GET, POST }) => sum + GET + POST, 0);
      console.log(
        `etcd ${line}, away for ${awayMs} ms: ${calls} calls, none failed; all back ${backMs.toFixed(0)} ms after it answered`,
      );
    },
    180_000,
  );
});
