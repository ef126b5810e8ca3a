import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { startBatcher, versionOf } from './batchers.js';
import { freshPrefix } from './transactions.js';

const WRITE_MS = 3000;
/** There and back: more than a third of what a write may take. */
const SLOW_MS = 1200;

describe.each(await serversUnderTest())('batches at a slow etcd, $name', ({ start }) => {
  let server: ServerUnderTest;
  let losing: GrpcProxy;
  let slow: TcpProxy;

  beforeAll(async () => {
    server = await start();
    losing = await GrpcProxy.start({ target: server.endpoint });
    slow = await TcpProxy.start({ target: losing.url.replace('http://', '') });
  });
  afterEach(async () => {
    losing.clearFaults();
    await slow.pass();
  });
  afterAll(async () => {
    await slow?.close();
    await losing?.close();
    await server?.stop();
  });

  it('are written in one request, as a plain put is', async () => {
    const { batcher, client } = await startBatcher(slow.url, {}, { timeouts: { write: WRITE_MS } });
    const key = `${freshPrefix()}key`;
    await batcher.put(key, 'before');
    slow.delay(SLOW_MS / 2);
    const before = client.requestsSent;
    await batcher.put(key, 'x');
    expect(client.requestsSent - before).toBe(1);
  });

  it('are settled if an answer is lost', async () => {
    const { batcher } = await startBatcher(slow.url, {}, { timeouts: { write: WRITE_MS } });
    const key = `${freshPrefix()}key`;
    await batcher.put(key, 'before');
    slow.delay(SLOW_MS / 2);
    losing.loseAnswer('KV/Txn');
    await batcher.put(key, 'x');
    expect(await versionOf(server.endpoint, key)).toBe(2);
  });
});
