/** A process that stands in the registry on its session's lease. */
import '../client/options.js';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { instanceKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { clientOptions } from '../client/options.js';

const [endpoint, namespace, service, id, ttlSeconds] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const client = await EtcdClient.connect(clientOptions(endpoint));
const session = new EtcdSession(client, { ttlSeconds: Number(ttlSeconds) });
await session.start();
const record = { v: 1, id, address: 'http://10.0.0.1:3000', state: 'up' };
using etcd = rawEtcd(endpoint);
await etcd.client.kv.put({
  key: Buffer.from(instanceKey(namespace, service, id)),
  value: Buffer.from(JSON.stringify(record)),
  lease: session.lease!.id,
});
console.log(JSON.stringify({ type: 'registered', ttlMs: session.lease!.ttlMs }));
