import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { verdictKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { PROBERS_ELECTION } from '../../../libs/etcd-coordination/src/module/elected-probers.js';
import type { ServiceRegistration } from '../../../libs/etcd-coordination/src/registry/registration-options.js';
import { decodeVerdictRecord } from '../../../libs/etcd-coordination/src/registry/verdict-record.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { deleteKey, keysUnder, leases } from '../../support/etcd-admin.js';
import { GrpcProxy, type FaultManner } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { keyOf, Member, NAMESPACE, recordWhen, type StandingRecord } from './member.js';
import { ProbingMember, Target } from './probing-member.js';

const SOON = { intervalMs: 250, timeoutMs: 2000, failures: 3, passes: 2 };
const MANNERS: FaultManner[] = ['unavailable', 'cut', 'silence'];

describeAtOnce(await serversUnderTest(), 'the probing of instances', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let owner: Member;
  let target: Target;
  let probing: ProbingMember[];
  let round = 0;
  let service: string;

  beforeAll(async () => {
    server = await start();
    owner = await Member.start('owner', server.endpoint);
    target = new Target();
    await target.listen();
  });
  beforeEach(async () => {
    proxy = await GrpcProxy.start({ target: server.endpoint });
    service = `probed-${(round += 1)}`;
    target.status = 200;
    probing = [];
  });
  afterEach(async () => {
    proxy.clearFaults();
    await Promise.all(owner.registry.registrations.map((one) => one.deregister()));
    await Promise.all(probing.map((one) => one.close()));
    await proxy.close();
    await waitFor(async () => (await leases(server.endpoint)).length === 1, {
      what: 'nothing but the owner’s lease to be left',
    });
  });
  afterAll(async () => {
    target?.close();
    await owner?.close();
    await server?.stop();
  });

  /** Three processes, in the order of the election. */
  async function three(endpoint = server.endpoint): Promise<ProbingMember[]> {
    for (const id of ['p1', 'p2', 'p3']) probing.push(await ProbingMember.start(id, endpoint));
    return probing;
  }
  function register(options: Partial<ServiceRegistration> = {}) {
    const health = { probe: { kind: 'http', target: '/health', ...SOON } } as const;
    return owner.registry.register({ name: service, address: target.address, health, ...options });
  }
  async function verdictOn(id = 'owner') {
    const [found] = await keysUnder(server.endpoint, verdictKey(NAMESPACE, service, id, 'probe'));
    return found ? { ...found, ...decodeVerdictRecord(Buffer.from(found.value)) } : null;
  }
  const downWhen = (what: string, by?: string) =>
    waitFor(
      async () => {
        const verdict = await verdictOn();
        return verdict?.state === 'down' && (by === undefined || verdict.by === by) && verdict;
      },
      { what, timeoutMs: 20_000 },
    );
  const upWhen = (what: string) =>
    waitFor(async () => (await verdictOn()) === null, { what, timeoutMs: 20_000 });
  const requestsAfterNow = (count: number) => {
    const before = target.requests;
    return waitFor(() => target.requests >= before + count, { what: 'more probes' });
  };

  it('is one prober’s, who takes an instance down and up again on its lease', async () => {
    const members = await three();
    await register();
    await requestsAfterNow(5);
    expect(members.map(({ prober }) => prober.targets)).toEqual([1, 0, 0]);
    expect(await verdictOn()).toBeNull();

    target.status = 503;
    expect(await downWhen('it to go down')).toMatchObject({
      ...{ by: 'p1', lease: owner.session.lease!.id },
      reason: expect.stringMatching(/\/health failed 3 times in a row: answered 503$/) as string,
    });
    target.status = 200;
    await upWhen('it to come up');
  });

  it('goes on with the next prober when one dies, and the verdict stands meanwhile', async () => {
    const [first, second, third] = await three();
    await register();
    target.status = 500;
    const { createRevision } = await downWhen('the first one’s verdict', 'p1');
    await first!.crash();
    await waitFor(() => second!.prober.targets === 1, { what: 'a successor', timeoutMs: 20_000 });
    await requestsAfterNow(10);
    expect(await verdictOn()).toMatchObject({ by: 'p1', createRevision });
    // An orderly end hands over at once.
    await second!.close();
    await waitFor(() => third!.prober.targets === 1, { what: 'the last one’s turn' });
    expect(await verdictOn()).toMatchObject({ by: 'p1', createRevision });
    target.status = 200;
    await upWhen('it to come up by the last one’s word');
    probing = [third!];
  });

  it('takes the verdict away with an instance that is deregistered', async () => {
    await three();
    const registration = await register();
    target.status = 500;
    await downWhen('it to go down');
    await registration.deregister();
    await upWhen('the verdict to go');
  });

  it('gives an instance its verdict again that moves to a new lease, or is put again', async () => {
    await three();
    await register();
    target.status = 500;
    await downWhen('it to go down');
    owner.session.reportGone(owner.session.lease!);
    await waitFor(
      async () => {
        const lease = owner.session.lease?.id;
        const verdict = await verdictOn();
        return lease !== undefined && verdict?.lease === lease && verdict.state === 'down';
      },
      { what: 'the verdict to move', timeoutMs: 20_000 },
    );
    const { createRevision } = await recordWhen(server.endpoint, service, 'the record');
    await deleteKey(server.endpoint, keyOf(service, 'owner'));
    const isBack = (now: StandingRecord) => now.createRevision > createRevision;
    await recordWhen(server.endpoint, service, 'it to be back', isBack);
    await downWhen('it to be down');
    target.status = 200;
    await upWhen('it to come up');
  });

  it.each(MANNERS)('writes each verdict once though answers are lost (%s)', async (how) => {
    // Only the first of them writes.
    probing.push(await ProbingMember.start('p1', proxy.url, 10));
    await register();
    await requestsAfterNow(1);
    const put = proxy.loseAnswer('KV/Txn', { how });
    target.status = 500;
    await waitFor(() => put.hits === 1, { what: 'the answer to be lost' });
    const { createRevision } = await downWhen('it to go down');
    await requestsAfterNow(5);
    expect(await verdictOn()).toMatchObject({ createRevision });
    const deletion = proxy.loseAnswer('KV/Txn', { how });
    target.status = 200;
    await upWhen('it to come up');
    // etcd has it before the proxy has lost its answer.
    await waitFor(() => deletion.hits === 1, { what: 'the answer to be lost' });
    await requestsAfterNow(5);
    expect(await verdictOn()).toBeNull();
  });

  it('goes on while etcd takes no writes, and is written then', async () => {
    probing.push(await ProbingMember.start('p1', proxy.url, 10));
    await register();
    await requestsAfterNow(1);
    const unavailable = { code: 14, message: 'etcdserver: no leader' };
    const fault = proxy.fail('KV/Txn', { ...unavailable, times: Infinity });
    target.status = 500;
    await waitFor(() => fault.hits > 3, { what: 'writes to fail', timeoutMs: 20_000 });
    expect(await verdictOn()).toBeNull();
    await requestsAfterNow(5);
    fault.remove();
    await downWhen('it to go down');
  });

  it('of 500 is shared by three, and by the two that are left', async () => {
    const members = await three();
    const probe = { kind: 'tcp', ...SOON, intervalMs: 5000 } as const;
    const ids = Array.from({ length: 500 }, (_, index) => `i${index}`);
    for (let at = 0; at < ids.length; at += 50) {
      const some = ids.slice(at, at + 50).map((id) => register({ id, health: { probe } }));
      await Promise.all(some);
    }
    const targets = () => members.map(({ prober }) => prober.targets);
    const sum = () => targets().reduce((a, b) => a + b, 0);
    await waitFor(() => sum() === 500 && Math.min(...targets()) > 100, {
      what: () => `three shares of 500, not ${targets().join(', ')}`,
    });
    await members[0]!.close();
    await waitFor(() => sum() === 500 && Math.max(...targets()) < 350, {
      what: () => `two shares of 500, not ${targets().join(', ')}`,
    });
    expect(targets()[0]).toBe(0);
    probing = members.slice(1);
    expect(await members[1]!.elections.candidates(PROBERS_ELECTION)).toHaveLength(2);
  });
});
