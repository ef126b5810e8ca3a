import type { EtcdClient } from '../client/etcd-client.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { ConfigDeclarations } from './config-declarations.js';
import type { ConfigIdentity } from './config-identity.js';
import type { ConfigSnapshot } from './snapshot/config-snapshot.js';

/** What the configurations of one connection stand on. */
export interface ConfigGround {
  readonly client: EtcdClient;
  readonly watch: WatchHub;
  /** The first part of every key. */
  readonly namespace: string;
  /** Who this process is. */
  readonly identity: ConfigIdentity;
  /** What this process has declared; one object for reader and publisher. */
  readonly declarations: ConfigDeclarations;
  /** Where the last good documents are kept for a start without etcd; nowhere if it is left out. */
  readonly snapshot?: ConfigSnapshot;
  /** Milliseconds between looks at whether the documents are still etcd's; 0 turns them off. Default 60000. */
  readonly checkIntervalMs?: number;
}
