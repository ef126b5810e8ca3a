import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  ClientClosedError,
  EtcdUnavailableError,
  WriteOutcomeUnknownError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { currentRevision, keysUnder, leases, leaseTtl, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { startSession } from '../session/sessions.js';
import { connect } from './connecting.js';

const lines = await availableEtcdLines();
const HOW = ['unavailable', 'reset', 'cut', 'silence'] as const;

/** FACTS.md, Calls: plain etcd3 applied a put twice, and reported `succeeded=false` of a txn that was applied. */
describe.each(lines)('a call whose answer is lost, etcd %s', (line) => {
  let server: EtcdServer;
  let proxy: GrpcProxy;

  beforeAll(async () => {
    server = await EtcdServer.start({ line });
    proxy = await GrpcProxy.start({ target: server.endpoint });
  });
  afterEach(() => proxy.clearFaults());
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  const client = () =>
    connect(proxy.url, { timeouts: { write: 1500, read: 1500, registration: 1500 } });

  it.each(HOW)('is not made again if it is a put, and says so (%s)', async (how) => {
    const { etcd } = await client();
    const fault = proxy.loseAnswer('KV/Put', { how });
    const before = await currentRevision(server.endpoint);
    const puts = proxy.count('KV/Put');
    const error = await etcd
      .put(`put/${how}`)
      .value('once')
      .exec()
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(WriteOutcomeUnknownError);
    expect(error).toMatchObject({ code: 'WRITE_OUTCOME_UNKNOWN' });
    expect((error as Error).message).toContain('KV.put');
    expect(fault.hits).toBe(1);
    expect(proxy.count('KV/Put') - puts).toBe(1);
    expect(await currentRevision(server.endpoint)).toBe(before + 1n);
    // And the next one goes through.
    await etcd.put(`put/${how}`).value('twice');
  });

  it.each(HOW)('never claims that a compare-and-set failed which was applied (%s)', async (how) => {
    const { etcd } = await client();
    proxy.loseAnswer('KV/Txn', { how });
    const txns = proxy.count('KV/Txn');
    const key = `cas/${how}`;
    const attempt = etcd.if(key, 'Create', '==', 0).then(etcd.put(key).value('mine')).commit();
    await expect(attempt).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    expect(proxy.count('KV/Txn') - txns).toBe(1);
    expect(await keysUnder(server.endpoint, key)).toMatchObject([{ value: 'mine' }]);
  });

  it('says that nobody knows what became of it, if the connection is closed meanwhile', async () => {
    const connection = await client();
    const { etcd } = connection;
    proxy.loseAnswer('KV/Put', { how: 'silence' });
    const before = await currentRevision(server.endpoint);
    const put = etcd
      .put('put/closed')
      .value('once')
      .exec()
      .catch((e: unknown) => e);
    await waitFor(async () => (await currentRevision(server.endpoint)) === before + 1n, {
      what: 'the put to be applied',
    });
    const read = etcd
      .get('put/closed')
      .string()
      .catch((e: unknown) => e);
    await connection.close();
    expect(await put).toBeInstanceOf(WriteOutcomeUnknownError);
    expect(await read).toBeInstanceOf(ClientClosedError);
    const late = etcd.put('put/closed').value('never').exec();
    await expect(late).rejects.toBeInstanceOf(ClientClosedError);
  });

  it('is not made again if it deletes, or grants a lease under an id of the server', async () => {
    const { etcd } = await client();
    await putKey(server.endpoint, 'deleted', 'x');
    proxy.loseAnswer('KV/DeleteRange');
    await expect(etcd.delete().key('deleted')).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    expect(await keysUnder(server.endpoint, 'deleted')).toEqual([]);
    proxy.loseAnswer('Lease/LeaseGrant');
    const grants = proxy.count('Lease/LeaseGrant');
    const lease = etcd.lease(10);
    await expect(lease.grant()).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    expect(proxy.count('Lease/LeaseGrant') - grants).toBe(1);
  });

  it.each(HOW)('is made again if it only reads (%s)', async (how) => {
    const { etcd } = await client();
    await putKey(server.endpoint, 'read', 'there');
    const fault = proxy.loseAnswer('KV/Range', { how });
    expect(await etcd.get('read').string()).toBe('there');
    expect(fault.hits).toBe(1);
    proxy.loseAnswer('KV/Txn', { how });
    const read = await etcd.if('read', 'Version', '>', 0).then(etcd.get('read')).commit();
    expect(read.succeeded).toBe(true);
  });

  it.each(HOW)('gives the session its lease all the same, and only that one (%s)', async (how) => {
    const before = await leases(server.endpoint);
    const fault = proxy.loseAnswer('Lease/LeaseGrant', { how });
    const { session, lease } = await startSession(await client(), 30);
    expect(fault.hits).toBe(1);
    const granted = (await leases(server.endpoint)).filter((id) => !before.includes(id));
    expect(granted).toEqual([lease.id]);
    expect(lease.ttlMs).toBe(30_000);
    // Counted from when the first request was sent, whose answer was lost.
    expect(await leaseTtl(server.endpoint, lease.id)).toBeGreaterThanOrEqual(
      Math.floor(lease.remainingMs() / 1000),
    );
    await session.close();
    expect(await leases(server.endpoint)).toEqual(before);
  });

  it.each(HOW)('revokes the lease all the same, and without complaint (%s)', async (how) => {
    const open = await client();
    const { session, lease } = await startSession(open, 30);
    const fault = proxy.loseAnswer('Lease/LeaseRevoke', { how });
    await session.close();
    expect(fault.hits).toBe(1);
    expect(await leases(server.endpoint)).not.toContain(lease.id);

    const raw = open.etcd.lease(30);
    const id = await raw.grant();
    const again = proxy.loseAnswer('Lease/LeaseRevoke', { how });
    await raw.revoke();
    expect(again.hits).toBe(1);
    expect(await leases(server.endpoint)).not.toContain(id);
  });

  it('goes on for as many attempts as are allowed, and no longer', async () => {
    const { etcd } = await connect(proxy.url, {
      retry: { maxAttempts: 4, initialDelayMs: 5, maxDelayMs: 20 },
    });
    const refused = proxy.fail('KV/Range', { times: 100 });
    await expect(etcd.get('read')).rejects.toBeInstanceOf(EtcdUnavailableError);
    expect(refused.hits).toBe(4);
  });
});
