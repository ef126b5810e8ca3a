/** Sets one configuration again and again, each time to the next number, until it is killed. */
import { ConfigPublisher } from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { clientOptions } from '../client/options.js';

const [endpoint, namespace, key] = process.argv.slice(2) as [string, string, string];
const client = await EtcdClient.connect(clientOptions(endpoint));
const publisher = new ConfigPublisher({
  client,
  namespace,
  identity: { instanceId: 'setter', labels: {} },
});
const filler = 'x'.repeat(100_000);
for (let n = 1; ; n++) {
  await publisher.set(key, { n, filler });
  console.log(JSON.stringify({ type: 'set', n }));
}
