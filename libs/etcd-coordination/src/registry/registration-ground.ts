import type { EtcdClient } from '../client/etcd-client.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { WatchHub } from '../watch/watch-hub.js';

/** What a registration stands on, and which process it is of. */
export interface RegistrationGround {
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly watch: WatchHub;
  readonly namespace: string;
  readonly instanceId: string;
}
