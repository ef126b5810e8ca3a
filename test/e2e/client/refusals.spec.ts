import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  EtcdNoSpaceError,
  EtcdRequestError,
  EtcdUnavailableError,
  LeaseNotFoundError,
  RequestTooLargeError,
  RevisionCompactedError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { compact, currentRevision, leases, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { renewal, startSession } from '../session/sessions.js';
import { connect } from './connecting.js';

const lines = await availableEtcdLines();

describe.each(lines)('what etcd %s refuses', (line) => {
  let server: EtcdServer;

  beforeAll(async () => {
    server = await EtcdServer.start({ line });
  });
  afterAll(() => server.stop());

  it.each([
    ['1.5 MiB, which its store refuses', 1.5],
    ['2.1 MiB, which its gRPC server refuses', 2.1],
  ])('is too large, in one class: %s', async (_, mebibytes) => {
    const { etcd } = await connect(server.endpoint);
    const put = etcd
      .put('large')
      .value(Buffer.alloc(mebibytes * 1024 * 1024))
      .exec();
    const error = await put.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(RequestTooLargeError);
    expect(error).toMatchObject({ code: 'REQUEST_TOO_LARGE' });
    expect((error as Error).message).toContain('--max-request-bytes');
    expect(await etcd.get('large')).toBeNull();
  });

  it('is compacted, or a lease that is gone, each named', async () => {
    const { etcd } = await connect(server.endpoint);
    await putKey(server.endpoint, 'old', '1');
    const old = await currentRevision(server.endpoint);
    await putKey(server.endpoint, 'old', '2');
    await compact(server.endpoint);
    const read = etcd.get('old').revision(old.toString()).exec();
    await expect(read).rejects.toBeInstanceOf(RevisionCompactedError);
    const put = etcd.kv.put({ key: Buffer.from('k'), value: Buffer.from('v'), lease: '123' });
    await expect(put).rejects.toBeInstanceOf(LeaseNotFoundError);
  });

  it('is something else: the status and the words of etcd are kept', async () => {
    const { etcd } = await connect(server.endpoint);
    const error = await etcd.kv.compact({ revision: '99999' }).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(EtcdRequestError);
    expect(error).toMatchObject({ status: 'OUT_OF_RANGE' });
    expect((error as Error).message).toContain('future revision');
  });

  it('is for want of space: reads, keepalives and revocations go on', async () => {
    const full = await EtcdServer.start({ line, extraArgs: ['--quota-backend-bytes', '2097152'] });
    const client = await connect(full.endpoint);
    const { etcd } = client;
    const { session, lease } = await startSession(client, 3);
    await etcd.put('kept').value('v');
    const other = etcd.lease(60, { autoKeepAlive: false });
    await other.grant();
    await fill(full.endpoint);

    const put = etcd.put('refused').value('v').exec();
    await expect(put).rejects.toBeInstanceOf(EtcdNoSpaceError);
    const txn = etcd.if('kept', 'Version', '>', 0).then(etcd.put('refused').value('v')).commit();
    await expect(txn).rejects.toBeInstanceOf(EtcdNoSpaceError);
    await expect(client.leaseGrant('77', 5)).rejects.toBeInstanceOf(EtcdNoSpaceError);

    // With plain etcd3 the breaker now fails these as well.
    expect(await etcd.get('kept').string()).toBe('v');
    await etcd.delete().key('kept');
    await renewal(lease);
    expect(session.lease).toBe(lease);
    await other.revoke();
    await session.close();
    expect(await leases(full.endpoint)).toEqual([]);
    await full.stop();
  });
});

it.runIf(lines.length > 0)('goes on when etcd has no leader for a while', async () => {
  const server = await EtcdServer.start();
  const client = await connect(server.endpoint, { timeouts: { read: 10_000 } });
  await client.etcd.put('k').value('v');
  await server.kill();
  // Until the connection is known to be gone, nobody could say whether a write was applied.
  await expect(client.etcd.get('k').string()).rejects.toBeInstanceOf(EtcdUnavailableError);
  await expect(client.etcd.put('k').value('w').exec()).rejects.toBeInstanceOf(EtcdUnavailableError);
  await server.restart();
  await waitFor(() => client.etcd.get('k').string(), { what: 'the server to be reached again' });
  await server.stop();
});

/** Puts until the server raises its alarm. */
async function fill(endpoint: string): Promise<void> {
  using etcd = rawEtcd(endpoint);
  const value = Buffer.alloc(256 * 1024);
  for (let i = 0; i < 100; i += 1) {
    try {
      await etcd.client.put(`fill/${i}`).value(value);
    } catch (error) {
      if (String(error).includes('space exceeded')) return;
      throw error;
    }
  }
  throw new Error('etcd took 25 MiB without complaint.');
}
