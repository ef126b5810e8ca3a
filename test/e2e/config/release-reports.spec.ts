import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ReleaseReport } from '../../../libs/etcd-coordination/src/config/release/release-report.js';
import { keysUnder, revokeLease } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { NAMESPACE } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Member } from './release-member.js';

const servers = await serversUnderTest();

const FOR_EVER = { steps: [100], observeMs: 600_000 };

describe.concurrent.each(servers)('on $name', ({ start }) => {
  describe.sequential("an instance's report on a release", () => {
    let server: ServerUnderTest;
    let operator: Member;
    let a: Member;
    let key: string;
    let round = 0;

    beforeAll(async () => {
      server = await start();
      operator = await Member.start('operator', server.endpoint);
    });
    beforeEach(async () => {
      key = `reports-${(round += 1)}`;
      await operator.publisher.set(key, { price: 1 });
      a = await Member.start('a', server.endpoint);
      await a.watch(key);
    });
    afterEach(async () => {
      await a.close();
      if ((await operator.releases.get(key))?.ended === null) await operator.releases.abort(key);
      expect(await reports()).toEqual([]);
    });
    afterAll(async () => {
      await operator.close();
      await server.stop();
    });

    async function reports() {
      const found = await keysUnder(server.endpoint, `${NAMESPACE}/config/${key}/report/`);
      return found.map(({ value, ...kv }) => ({ ...kv, ...(JSON.parse(value) as ReleaseReport) }));
    }

    const reported = (like: Partial<ReleaseReport>) =>
      waitFor(
        async () => {
          const [report] = await reports();
          const wanted = Object.entries(like) as [keyof ReleaseReport, unknown][];
          return wanted.every(([name, value]) => report?.[name] === value) && report;
        },
        { what: `a report that is ${JSON.stringify(like)}` },
      );

    it('is written when it changes, and not otherwise', async () => {
      let asked = 0;
      let isWell = true;
      a.releases.healthCheck('it', () => (asked += 1) > 0 && isWell);
      let written = 0;
      const { client } = a.instance;
      const txn = client.txn.bind(client);
      client.txn = (request, settings) => {
        const [first] = request.success ?? [];
        if (first?.request_put?.key?.toString().includes('/report/')) written += 1;
        return txn(request, settings);
      };
      await operator.releases.start(key, { price: 2 }, FOR_EVER);
      await reported({ state: 'applied', healthy: true, healthyBefore: true, reason: null });
      const before = [written, asked] as const;
      await waitFor(() => asked >= before[1] + 3, { what: 'three more questions' });
      expect(written).toBe(before[0]);
      await operator.releases.pause(key);
      isWell = false;
      await waitFor(async () => (await operator.releases.get(key))!.ended, { what: 'the end' });
      expect(written).toBe(before[0] + 1);
    });

    it('stands on the lease, and on the next one when that is lost', async () => {
      let isHanging = false;
      const hang = new Promise<boolean>(() => undefined);
      let asked = 0;
      a.releases.healthCheck('it', () => ((asked += 1), isHanging ? hang : true));
      await operator.releases.start(key, { price: 2 }, FOR_EVER);
      const first = await reported({ state: 'applied' });
      // Not even a look at the health is waited for.
      isHanging = true;
      const before = asked;
      await waitFor(() => asked > before, { what: 'a look at the health' });
      const { id } = a.instance.session.lease!;
      expect(first.lease).toBe(id);
      await revokeLease(server.endpoint, id);
      const next = await waitFor(async () => (await reports()).find(({ lease }) => lease !== id), {
        what: 'the report on another lease',
      });
      expect(next).toMatchObject({
        healthy: true,
        state: 'applied',
        lease: a.instance.session.lease!.id,
      });
      expect((await operator.releases.get(key))!.state).toBe('rolling');
    });

    it('outlives the lease when it says that the instance leaves', async () => {
      await operator.releases.start(key, { price: 2 }, FOR_EVER);
      await reported({ state: 'applied' });
      await a.close();
      expect(await reports()).toMatchObject([{ leaving: true, lease: '0', state: 'applied' }]);
    });

    it('is not left behind by an instance that leaves when the release is over', async () => {
      await operator.releases.start(key, { price: 2 }, FOR_EVER);
      await reported({ state: 'applied' });
      // It has not heard of the end yet.
      const { client } = a.instance;
      const txn = client.txn.bind(client);
      let ended: Promise<unknown> | undefined;
      client.txn = async (request, settings) => {
        await (ended ??= operator.releases.abort(key));
        return txn(request, settings);
      };
      await a.releases.leave();
      expect(await reports()).toEqual([]);
    });

    it('is not left behind when the release ends before its first one comes', async () => {
      const { client } = a.instance;
      const txn = client.txn.bind(client);
      const late = new Promise<unknown>((resolve) => {
        client.txn = async (request, settings) => {
          const isReport = request.success?.[0]?.request_put?.key?.toString().includes('/report/');
          if (isReport) await operator.releases.abort(key);
          const answer = await txn(request, settings);
          if (isReport) resolve(answer);
          return answer;
        };
      });
      await operator.releases.start(key, { price: 2 }, FOR_EVER);
      expect(await late).toMatchObject({ succeeded: false });
      expect(await reports()).toEqual([]);
    });

    it('is not written over by an older one that comes late', async () => {
      const { client } = a.instance;
      const txn = client.txn.bind(client);
      const sent: Parameters<typeof txn>[0][] = [];
      client.txn = (request, settings) => {
        if (request.success?.[0]?.request_put?.key?.toString().includes('/report/')) {
          sent.push(request);
        }
        return txn(request, settings);
      };
      await operator.releases.start(key, { price: 2 }, FOR_EVER);
      await reported({ state: 'applied' });
      expect(sent.length).toBeGreaterThan(1);
      for (const late of sent) expect(await txn(late)).toMatchObject({ succeeded: false });
      await reported({ state: 'applied' });
    });

    it('is known again when the answer to it was lost', async () => {
      const { client } = a.instance;
      const txn = client.txn.bind(client);
      let lost = 0;
      client.txn = async (request, settings) => {
        const answer = await txn(request, settings);
        const isReport = request.success?.[0]?.request_put?.key?.toString().includes('/report/');
        if (isReport && (lost += 1) <= 2) throw new Error('the test lost this answer');
        return answer;
      };
      await operator.releases.start(key, { price: 2 }, { steps: [100], observeMs: 100 });
      await waitFor(async () => (await operator.releases.get(key))!.ended, { what: 'the end' });
      expect((await operator.releases.get(key))!.state).toBe('promoted');
      expect(lost).toBeGreaterThan(2);
    });

    it('does not blame the document for a start that takes its time', async () => {
      await operator.releases.start(key, { price: 2 }, FOR_EVER);
      await reported({ state: 'applied' });
      await a.close();
      a = await Member.start('a', server.endpoint);
      let isUp = false;
      a.releases.healthCheck('warm', () => isUp || 'not warm yet');
      await a.watch(key);
      expect(a.values).toEqual([2]);
      await reported({ state: 'waiting', healthy: false, leaving: false });
      isUp = true;
      await reported({ state: 'applied', healthy: true, healthyBefore: true });
      isUp = false;
      await waitFor(async () => (await operator.releases.get(key))!.ended, { what: 'the end' });
      expect((await operator.releases.get(key))!.ended).toContain('not warm yet');
    });
  });
});
