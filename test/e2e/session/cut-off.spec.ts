import { describe, expect, it } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { TcpProxy, type BlackholeWay } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { clientOptions } from '../client/options.js';
import { abortedAt, keyStands, putOnLease } from './sessions.js';

const lines = await availableEtcdLines();
const cases = lines.flatMap((line) => [5, 2].map((ttl) => [ttl, line] as const));

/**
 * FACTS.md, Lease: plain etcd3 learns at 10.2 s that the server let its key go at 5.4 s. The holder must
 * know first, wherever between two keepalives it is cut off.
 */
describe('a holder that is cut off', () => {
  it.concurrent.each(cases)(
    'knows before the server lets go of its key: TTL %i, etcd %s',
    { timeout: 60_000 },
    async (ttlSeconds, line) => {
      const server = await EtcdServer.start({ line });
      const ways = ['both', 'to-server', 'to-client'] as const;
      // The first is cut off right after its grant, the others by and by within a keepalive's interval.
      const rounds = ways.map((way, index) =>
        cutOff(server.endpoint, ttlSeconds, way, (ttlSeconds * 1000 * index) / 8),
      );
      for (const { standing, lostAt, goneAt } of await Promise.all(rounds)) {
        expect(standing).toBe(true);
        expect(lostAt).toBeLessThan(goneAt);
      }
      await server.stop();
    },
  );
});

async function cutOff(endpoint: string, ttlSeconds: number, way: BlackholeWay, afterMs: number) {
  const proxy = await TcpProxy.start({ target: endpoint });
  const client = await EtcdClient.connect(clientOptions(proxy.url));
  const session = new EtcdSession(client, { ttlSeconds });
  await session.start();
  const lease = session.lease!;
  const key = `cut-off/${way}`;
  await putOnLease(endpoint, key, lease.id);

  using observer = rawEtcd(endpoint);
  const watcher = await observer.client.watch().key(key).create();
  const goneAt = new Promise<number>((resolve) => {
    watcher.on('delete', () => resolve(performance.now()));
  });
  const grantedAt = performance.now();
  await waitFor(() => performance.now() - grantedAt >= afterMs, { what: 'the moment to cut' });
  proxy.blackhole(way);

  const lostAt = await abortedAt(lease.signal);
  // Asked after the holder was told: the server must not have let go yet.
  const standing = await keyStands(endpoint, key);
  const times = { standing, lostAt, goneAt: await goneAt };
  await watcher.cancel();
  await proxy.close();
  await Promise.all([session.close(), client.close()]);
  return times;
}
