import { userInfo } from 'node:os';
import { DemoKeys } from '../../apps/demo-shared/src/data/demo-keys.js';
import { readSettings } from '../../apps/demo-shared/src/settings.js';
import {
  DEFAULT_RETRY,
  DEFAULT_TIMEOUTS,
} from '../../libs/etcd-coordination/src/client/client-options.js';
import { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdConnectError } from '../../libs/etcd-coordination/src/client/etcd-connect.error.js';
import { namespaceFault } from '../../libs/etcd-coordination/src/client/keys.js';
import { ConfigPublisher } from '../../libs/etcd-coordination/src/config/config-publisher.js';
import { ConfigReleases } from '../../libs/etcd-coordination/src/config/release/config-releases.service.js';
import { EtcdSession } from '../../libs/etcd-coordination/src/session/etcd-session.js';
import { WatchHub } from '../../libs/etcd-coordination/src/watch/watch-hub.js';
import type { Options } from './options.js';
import { RefusedError, UsageError } from './usage.js';

/** etcd away is said within this time, in milliseconds. */
const CONNECT_MS = 3000;

/** What a command works with. It holds no lease, so it leaves nothing behind. */
export interface Connection {
  readonly client: EtcdClient;
  readonly namespace: string;
  readonly publisher: ConfigPublisher;
  readonly releases: ConfigReleases;
  close(): Promise<void>;
}

/** Connects to the etcd that is asked for. @throws RefusedError with one sentence if that is away */
export async function openConnection(
  options: Options,
  env: NodeJS.ProcessEnv,
): Promise<Connection> {
  const { endpoints, namespace } = readPlace(options, env);
  const client = await connect(endpoints, env);
  const author = options.text('author') ?? userInfo().username;
  const historyLimit = options.count('keep');
  const identity = { instanceId: author, labels: {} };
  const publisher = new ConfigPublisher({
    ...{ client, namespace, identity },
    ...(historyLimit !== undefined && { historyLimit }),
  });
  const watch = new WatchHub(client);
  const releases = new ConfigReleases({
    ...{ client, namespace, identity, watch },
    // Never started: it is for those who take part in a release.
    session: new EtcdSession(client, { ttlSeconds: 10 }),
    leadership: {
      lead: () => {
        throw new Error('A command controls no release.');
      },
    },
    // What is given at a terminal is a document, and its comments stay.
    publisher: {
      prepare: (key, document, settings) =>
        publisher.prepareDocument(key, document as Buffer, settings),
    },
  });
  return {
    ...{ client, namespace, publisher, releases },
    close: async () => {
      await watch.close();
      await client.close();
    },
  };
}

function readPlace(
  options: Options,
  outer: NodeJS.ProcessEnv,
): { endpoints: readonly string[]; namespace: string } {
  const given = options.text('endpoints');
  const env = { ...outer, ...(given !== undefined && { ETCD_ENDPOINTS: given }) };
  try {
    const { endpoints, prefix } = readSettings('config', 0, env);
    const namespace = options.text('namespace') ?? new DemoKeys(prefix).coordination;
    const fault = namespaceFault(namespace);
    if (fault !== null) throw new Error(`The namespace "${namespace}" cannot be: it ${fault}.`);
    return { endpoints, namespace };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function connect(endpoints: readonly string[], env: NodeJS.ProcessEnv): Promise<EtcdClient> {
  const [username, ...rest] = (env.ETCD_USER ?? '').split(':');
  try {
    return await EtcdClient.connect({
      ...{ connection: 'config', endpoints, retry: DEFAULT_RETRY, endpointSyncInterval: 0 },
      timeouts: { ...DEFAULT_TIMEOUTS, connect: CONNECT_MS },
      ...(username && { auth: { username, password: rest.join(':') } }),
    });
  } catch (error) {
    if (!(error instanceof EtcdConnectError)) throw error;
    const where = error.failures.map(({ endpoint, reason }) => `${endpoint}: ${reason}`).join(', ');
    throw new RefusedError(
      error.code,
      `etcd cannot be reached (${where}); start it, or name another one with ETCD_ENDPOINTS or --endpoints.`,
    );
  }
}
