import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { registryPrefix } from '../../../libs/etcd-coordination/src/client/keys.js';
import { PROBERS_ELECTION } from '../../../libs/etcd-coordination/src/module/elected-probers.js';
import { decodeVerdictRecord } from '../../../libs/etcd-coordination/src/registry/verdict-record.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Member, NAMESPACE } from './member.js';
import { ProbingMember, Target } from './probing-member.js';

const IDS = ['i1', 'i2', 'i3', 'i4', 'i5', 'i6'];
const SOON = { intervalMs: 250, timeoutMs: 2000, failures: 3, passes: 2 };

describeAtOnce(await serversUnderTest(), 'a prober whose instances all fail', ({ start }) => {
  let server: ServerUnderTest;
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
  beforeEach(() => {
    service = `doubted-${(round += 1)}`;
    target.status = 200;
    probing = [];
  });
  afterEach(async () => {
    await Promise.all(owner.registry.registrations.map((one) => one.deregister()));
    await Promise.all(probing.map((one) => one.close()));
  });
  afterAll(async () => {
    target?.close();
    await owner?.close();
    await server?.stop();
  });

  async function startWith(...ids: string[]): Promise<ProbingMember[]> {
    for (const id of ids) probing.push(await ProbingMember.start(id, server.endpoint));
    const health = { probe: { kind: 'http', target: '/health', ...SOON } } as const;
    const { address } = target;
    await Promise.all(
      IDS.map((id) => owner.registry.register({ name: service, id, address, health })),
    );
    await targetsWhen(...ids.map((_, at) => (at === 0 ? IDS.length : 0)));
    return probing;
  }
  const targets = () => probing.map(({ prober }) => prober.targets).join(', ');
  const targetsWhen = (...expected: number[]) =>
    waitFor(() => targets() === expected.join(', '), {
      what: () => `${expected.join(', ')} targets, not ${targets()}`,
    });
  async function verdicts() {
    const kvs = await keysUnder(server.endpoint, `${registryPrefix(NAMESPACE, service)}verdict/`);
    return kvs.map(({ value, ...kv }) => ({ ...kv, ...decodeVerdictRecord(Buffer.from(value)) }));
  }
  const downWhen = (what: string) =>
    waitFor(
      async () => {
        const found = await verdicts();
        return found.length === IDS.length && found.map(({ by }) => by);
      },
      { what, timeoutMs: 20_000 },
    );
  const upWhen = () =>
    waitFor(async () => (await verdicts()).length === 0, { what: 'all up', timeoutMs: 20_000 });
  async function candidates() {
    const all = await probing[0]!.elections.candidates(PROBERS_ELECTION);
    return all.map(({ candidateId, value }) => `${candidateId} ${value}`.trim());
  }
  const requestsAfterNow = (count: number) => {
    const before = target.requests;
    return waitFor(() => target.requests >= before + count, { what: 'more probes' });
  };

  it('and that is cut off from them leaves them to the next one, and they stay up', async () => {
    const [first] = await startWith('p1', 'p2');
    await requestsAfterNow(6);
    first!.cutOff();
    await targetsWhen(0, 6);
    await waitFor(async () => String(await candidates()) === 'p2,p1 doubtful', {
      what: 'its doubt to stand behind the other',
    });
    // As many as the second one needs to find them down.
    await requestsAfterNow(IDS.length * 4);
    expect(await verdicts()).toEqual([]);
    expect(targets()).toBe('0, 6');
  });

  it('because they are down is believed when the next one has seen the same', async () => {
    await startWith('p1', 'p2');
    target.status = 503;
    expect(await downWhen('all to go down')).toEqual(IDS.map(() => 'p2'));
    expect(await candidates()).toEqual(['p2', 'p1 doubtful']);
    target.status = 200;
    await upWhen();
  });

  it('because they are down is believed, too, if there is no other one', async () => {
    await startWith('p1');
    target.status = 503;
    expect(await downWhen('all to go down')).toEqual(IDS.map(() => 'p1'));
    target.status = 200;
    await upWhen();
  });
});
