import {
  DEFAULT_RETRY,
  DEFAULT_TIMEOUTS,
} from '../../libs/etcd-coordination/src/client/client-options.js';
import { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import { ElectionService } from '../../libs/etcd-coordination/src/election/election.service.js';
import { LockService } from '../../libs/etcd-coordination/src/lock/lock.service.js';
import { EtcdSession } from '../../libs/etcd-coordination/src/session/etcd-session.js';
import { WatchHub } from '../../libs/etcd-coordination/src/watch/watch-hub.js';
import { WatchService } from '../../libs/etcd-coordination/src/watch/watch.service.js';

/** The library without Nest around it: what one application holds of one connection. */
export class LibraryInstance {
  private constructor(
    readonly client: EtcdClient,
    readonly session: EtcdSession,
    private readonly watch: WatchHub,
    readonly elections: ElectionService,
    readonly watches: WatchService,
    readonly locks: LockService,
    readonly namespace: string,
  ) {}

  static async start(endpoint: string, instanceId: string): Promise<LibraryInstance> {
    const client = await LibraryInstance.connect(endpoint);
    const session = new EtcdSession(client, { ttlSeconds: 60 });
    await session.start();
    const watch = new WatchHub(client);
    const namespace = 'bench/library';
    const elections = new ElectionService({ client, session, watch, namespace, instanceId });
    const watches = new WatchService(client, watch, namespace);
    const locks = new LockService({ client, session, watch, namespace, instanceId });
    return new LibraryInstance(client, session, watch, elections, watches, locks, namespace);
  }

  static connect(endpoint: string): Promise<EtcdClient> {
    return EtcdClient.connect({
      connection: 'bench',
      endpoints: [endpoint],
      timeouts: DEFAULT_TIMEOUTS,
      retry: DEFAULT_RETRY,
      endpointSyncInterval: 30_000,
    });
  }

  async close(): Promise<void> {
    await this.elections.withdraw();
    await this.elections.handOver(0);
    await this.locks.drain(0);
    await this.locks.close();
    await this.session.close();
    await this.watches.close();
    await this.watch.close();
    await this.client.close();
  }
}
