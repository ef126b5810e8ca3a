import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { registryPrefix, verdictKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { keysUnder, leases, putKey } from '../../support/etcd-admin.js';
import { GrpcProxy, type FaultManner } from '../../support/grpc-proxy.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Member, NAMESPACE } from './member.js';

describeAtOnce(await serversUnderTest(), 'a mark', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let member: Member;
  let round = 0;
  let service: string;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    member = await Member.start('monitor', proxy.url);
  });
  beforeEach(() => {
    service = `marked-${(round += 1)}`;
  });
  afterEach(async () => {
    proxy.clearFaults();
    await member.registry.unmark(service, 'a/1');
    await member.registry.unmark(service, 'a/1', 'operator');
    expect(await marksOf()).toEqual([]);
    expect(await leases(server.endpoint)).toEqual([member.session.lease!.id]);
  });
  afterAll(async () => {
    await member?.close();
    await proxy?.close();
    await server?.stop();
  });

  async function marksOf() {
    const found = await keysUnder(server.endpoint, registryPrefix(NAMESPACE, service));
    return found.map(({ key, value, lease }) => ({ key, lease, ...(JSON.parse(value) as object) }));
  }
  const keyFor = (source: string) => verdictKey(NAMESPACE, service, 'a/1', source);
  const DOWN = { state: 'down', reason: 'disk', forMs: 60_000 } as const;

  it('stands on a lease of its own for its span, in whole seconds', async () => {
    await member.registry.mark(service, 'a/1', { ...DOWN, forMs: 59_001 });
    const [mark, ...others] = await marksOf();
    expect(others).toEqual([]);
    expect(mark).toMatchObject({
      ...{ key: keyFor('monitor'), state: 'down', reason: 'disk', by: 'monitor' },
    });
    expect(mark!.lease).not.toBe(member.session.lease!.id);
    using etcd = rawEtcd(server.endpoint);
    const granted = await etcd.client.leaseClient.leaseTimeToLive({ ID: mark!.lease });
    expect(granted.grantedTTL).toBe('60');
  });

  it('ends by itself', async () => {
    await member.registry.mark(service, 'a/1', { ...DOWN, forMs: 1 });
    expect(await marksOf()).toHaveLength(1);
    await waitFor(async () => (await marksOf()).length === 0, { what: 'its end' });
  });

  it('is replaced as a whole by another one of its source, and stands beside those of others', async () => {
    await member.registry.mark(service, 'a/1', DOWN);
    await member.registry.mark(service, 'a/1', { state: 'draining', forMs: 30_000 });
    await member.registry.mark(service, 'a/1', { ...DOWN, source: 'operator' });
    const marks = await marksOf();
    expect(marks).toMatchObject([
      { key: keyFor('monitor'), state: 'draining', reason: null },
      { key: keyFor('operator'), state: 'down', by: 'monitor' },
    ]);
    const expected = [member.session.lease!.id, ...marks.map(({ lease }) => lease)].sort();
    expect(await leases(server.endpoint)).toEqual(expected);
    await member.registry.unmark(service, 'a/1', 'operator');
    expect(await marksOf()).toMatchObject([{ key: keyFor('monitor') }]);
  });

  it('leaves the lease alone on which somebody has put something in its place', async () => {
    const { id } = member.session.lease!;
    using etcd = rawEtcd(server.endpoint);
    await etcd.client.kv.put({
      key: Buffer.from(keyFor('monitor')),
      value: Buffer.from('x'),
      lease: id,
    });
    await member.registry.mark(service, 'a/1', DOWN);
    await member.registry.unmark(service, 'a/1');
    await putKey(server.endpoint, keyFor('operator'), 'no mark');
    await member.registry.unmark(service, 'a/1', 'operator');
    expect(await leases(server.endpoint)).toEqual([id]);
    expect(await marksOf()).toEqual([]);
  });

  it.each<FaultManner>(['unavailable', 'reset', 'cut', 'silence'])(
    'stands once though answers are lost (%s)',
    async (how) => {
      const put = proxy.loseAnswer('KV/Txn', { how });
      const grant = proxy.loseAnswer('Lease/LeaseGrant', { how });
      await member.registry.mark(service, 'a/1', DOWN);
      expect([grant.hits, put.hits]).toEqual([1, 1]);
      expect(await marksOf()).toMatchObject([{ state: 'down' }]);
      const deletion = proxy.loseAnswer('KV/Txn', { how });
      await member.registry.unmark(service, 'a/1');
      expect(deletion.hits).toBe(1);
      expect(await marksOf()).toEqual([]);
    },
  );

  it('stands if etcd applied it and said that there is no space; if not, nothing is left', async () => {
    const noSpace = { code: 8, message: 'etcdserver: mvcc: database space exceeded' };
    proxy.loseAnswer('KV/Txn', { instead: noSpace });
    await member.registry.mark(service, 'a/1', DOWN);
    expect(await marksOf()).toHaveLength(1);
    await member.registry.unmark(service, 'a/1');
    proxy.fail('KV/Txn', noSpace);
    const refused = member.registry.mark(service, 'a/1', DOWN);
    await expect(refused).rejects.toMatchObject({ code: 'ETCD_NO_SPACE' });
    expect(await leases(server.endpoint)).toEqual([member.session.lease!.id]);
  });
});
