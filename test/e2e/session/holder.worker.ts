/** A process that holds a session, and looks at its lease in every turn of its event loop. */
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { clientOptions } from '../client/options.js';

const [endpoint, ttlSeconds] = process.argv.slice(2);
const say = (message: object) => console.log(JSON.stringify(message));

const client = await EtcdClient.connect(clientOptions(endpoint!));
const session = new EtcdSession(client, { ttlSeconds: Number(ttlSeconds) });
await session.start();
const lease = session.lease!;
let listenerHeard = false;
lease.signal.addEventListener('abort', () => (listenerHeard = true));
say({ type: 'holding', lease: lease.id, aborted: lease.signal.aborted });

let last = performance.now();
const look = (): void => {
  const now = performance.now();
  const slept = now - last;
  last = now;
  if (slept < 500) {
    setTimeout(look, 5);
    return;
  }
  // The first thing that this process does on waking, before any other timer of it has fired.
  say({
    type: 'woke',
    listenerHeard,
    aborted: lease.signal.aborted,
    valid: lease.isValid(),
    remainingMs: lease.remainingMs(),
  });
};
look();
