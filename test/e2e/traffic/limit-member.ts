import type { ClientOptions } from '../../../libs/etcd-coordination/src/client/client-options.js';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { ConfigDeclarations } from '../../../libs/etcd-coordination/src/config/config-declarations.js';
import { ConfigPublisher } from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import {
  LIMITS,
  type RateLimitOptions,
} from '../../../libs/etcd-coordination/src/traffic/limit/rate-limit-rule.js';
import { RateLimiter } from '../../../libs/etcd-coordination/src/traffic/limit/rate-limiter.js';
import { LiveDocuments } from '../../../libs/etcd-coordination/src/traffic/live-documents.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { connect } from '../watch/connect.js';

export const NAMESPACE = 'e2e';

export interface LimitMemberOptions extends Partial<ClientOptions> {
  readonly ttlSeconds?: number;
}

/** What one process holds of a connection to limit by, without Nest around it. */
export class LimitMember {
  private constructor(
    readonly id: string,
    readonly client: EtcdClient,
    readonly session: EtcdSession,
    readonly watch: WatchHub,
    readonly store: ConfigStore,
    readonly limiter: RateLimiter,
  ) {}

  static async start(
    id: string,
    endpoint: string,
    limits: Readonly<Record<string, RateLimitOptions>>,
    { ttlSeconds = 10, ...options }: LimitMemberOptions = {},
  ): Promise<LimitMember> {
    const client = await connect(endpoint, options);
    const session = new EtcdSession(client, { ttlSeconds });
    const watch = new WatchHub(client);
    const identity = { instanceId: id, labels: {} };
    const namespace = NAMESPACE;
    const declarations = new ConfigDeclarations();
    const publisher = new ConfigPublisher({
      ...{ client, namespace, identity },
      declared: (key) => declarations.get(key),
    });
    const store = new ConfigStore(
      { client, watch, namespace, identity, declarations },
      { publisher },
    );
    const ground = { client, session, watch, namespace, instanceId: id };
    const limiter = new RateLimiter(ground, new LiveDocuments(store, LIMITS, limits));
    await session.start();
    return new LimitMember(id, client, session, watch, store, limiter);
  }

  /** As the module closes it. */
  async close(): Promise<void> {
    await this.limiter.close();
    await this.store.close();
    await this.session.close();
    await this.watch.close();
    await this.client.close();
  }
}
