import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Etcd3, IWatchResponse } from 'etcd3';
import { currentRevision, keysUnder, putKey } from './etcd-admin.js';
import { availableEtcdLines } from './etcd-binaries.js';
import { EtcdServer } from './etcd-server.js';
import { GrpcProxy } from './grpc-proxy.js';
import { rawEtcd, type RawEtcd } from './raw-etcd.js';
import { waitFor } from './wait-for.js';

const lines = await availableEtcdLines();

describe.runIf(lines.length > 0)('a proxy that knows gRPC calls', () => {
  let server: EtcdServer;
  let proxy: GrpcProxy;
  let raw: RawEtcd;

  const put = (key: string, ms = 2_000) =>
    raw.client.kv.put(
      { key: Buffer.from(key), value: Buffer.from('v') },
      { deadline: Date.now() + ms },
    );

  beforeAll(async () => {
    server = await EtcdServer.start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    raw = rawEtcd(proxy.url);
  });
  afterEach(() => proxy.clearFaults());
  afterAll(async () => {
    raw[Symbol.dispose]();
    await proxy.close();
    await server.stop();
  });

  it('passes calls on, errors too, and counts them', async () => {
    const before = proxy.count('KV/Put');
    await put('pass/1');
    await put('pass/2');
    await expect(raw.client.kv.compact({ revision: '999999' })).rejects.toThrow(/future revision/);
    expect(proxy.count('KV/Put')).toBe(before + 2);
    expect(proxy.count('KV/Compact')).toBe(1);
    expect(proxy.countByConnection().get(1)?.get('KV/Compact')).toBe(1);
    const request = proxy.seen('KV/Put').at(-1)!.request<{ key: Buffer }>();
    expect(request.key.toString()).toBe('pass/2');
  });

  it('loses the answer of one call that the server has applied', async () => {
    const fault = proxy.loseAnswer('KV/Put');
    await expect(put('lost/1')).rejects.toThrow(/UNAVAILABLE|lost this answer/);
    await fault.happened;
    expect(await keysUnder(server.endpoint, 'lost/')).toHaveLength(1);
    await put('lost/2');
    expect(fault.hits).toBe(1);
  });

  it('loses it in silence, or with the connection', async () => {
    proxy.loseAnswer('KV/Put', { how: 'silence' });
    await expect(put('silent/1', 200)).rejects.toThrow(/deadline/i);
    const opened = proxy.connectionsOpened;
    proxy.loseAnswer('KV/Put', { how: 'cut' });
    await expect(put('silent/2')).rejects.toThrow();
    expect(await keysUnder(server.endpoint, 'silent/')).toHaveLength(2);
    await waitFor(() => put('silent/3'), { what: 'the client to connect again' });
    expect(proxy.connectionsOpened).toBeGreaterThan(opened);
  });

  it('refuses a call that then never reaches the server', async () => {
    proxy.fail('KV/Put', { code: 8, message: 'etcdserver: mvcc: database space exceeded' });
    await expect(put('refused/1')).rejects.toThrow(/database space exceeded/);
    expect(await keysUnder(server.endpoint, 'refused/')).toHaveLength(0);
  });

  it('holds an answer back until it is told', async () => {
    const fault = proxy.holdAnswer('KV/Put');
    let answered = false;
    const call = put('held/1', 5_000).then(() => (answered = true));
    await fault.happened;
    expect(await keysUnder(server.endpoint, 'held/')).toHaveLength(1);
    expect(answered).toBe(false);
    fault.remove();
    await call;
    expect(answered).toBe(true);
  });

  it('cuts a watch after it is created, after its first batch, after its n-th message', async () => {
    const start = (await currentRevision(server.endpoint)) + 1n;
    for (let index = 0; index < 5; index += 1) await putKey(server.endpoint, `w/${index}`, 'x');

    proxy.cutWatch({ after: 'created' });
    expect((await watchAll(raw.client, start)).map((r) => r.created)).toEqual([true]);
    proxy.cutWatch({ after: 'first-batch', how: 'unavailable' });
    const batch = await watchAll(raw.client, start);
    expect(batch.at(-1)?.events.length).toBeGreaterThan(0);
    expect(batch.slice(0, -1).every((response) => response.events.length === 0)).toBe(true);
    proxy.cutWatch({ after: 2, how: 'cut' });
    expect(await watchAll(raw.client, start)).toHaveLength(2);
  });
});

/** What a raw watch of `w/` delivers until it is cut. */
async function watchAll(client: Etcd3, start: bigint): Promise<IWatchResponse[]> {
  const responses: IWatchResponse[] = [];
  const stream = await client.watchClient.watch();
  const ended = new Promise<void>((resolve) => {
    stream.on('data', (response: IWatchResponse) => responses.push(response));
    stream.on('error', () => resolve());
    stream.on('end', () => resolve());
  });
  stream.write({
    create_request: {
      key: Buffer.from('w/'),
      range_end: Buffer.from('w0'),
      start_revision: start.toString(),
    },
  });
  await ended;
  return responses;
}
