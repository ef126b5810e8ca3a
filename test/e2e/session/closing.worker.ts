/**
 * A process that opens a connection with all that a user may have on it, closes it when it is told to, and
 * then has nothing more to do. Whatever keeps it alive after `closed` is a leak.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { clientOptions } from '../client/options.js';

const [endpoints, connectMs] = process.argv.slice(2);
const say = (message: object) => console.log(JSON.stringify(message));
process.on('unhandledRejection', (reason) => say({ type: 'unhandled', reason: String(reason) }));

const options = clientOptions(endpoints!.split(','), {
  endpointSyncInterval: 1000,
  timeouts: { connect: Number(connectMs ?? 5000), write: 500 },
});

try {
  const client = await EtcdClient.connect(options);
  const session = new EtcdSession(client, { ttlSeconds: 5 });
  const hub = new WatchHub(client);
  await session.start();
  hub.watch(prefixRange('closing/'), null, {
    standing: () => undefined,
    events: () => undefined,
    compacted: () => undefined,
    refused: () => undefined,
  });
  const raw = client.etcd.lease(5);
  const rawId = await raw.grant();
  await client.etcd.watch().prefix('closing/').create();
  say({ type: 'open', lease: session.lease!.id, raw: rawId });

  const input = createInterface({ input: process.stdin });
  await once(input, 'line');
  input.close();
  process.stdin.destroy();
  await hub.close();
  await session.close();
  await client.close();
} catch (error) {
  process.stdin.destroy();
  say({ type: 'failed', error: String(error) });
}
say({ type: 'closed' });
// What still holds the process, for whoever reads its output.
setTimeout(() => say({ type: 'held', by: process.getActiveResourcesInfo() }), 500).unref();
