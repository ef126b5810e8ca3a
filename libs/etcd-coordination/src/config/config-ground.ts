import type { EtcdClient } from '../client/etcd-client.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { ConfigDeclarations } from './config-declarations.js';
import type { ConfigIdentity } from './config-identity.js';
import type { SnapshotOptions } from './snapshot/snapshot-options.js';

/** What the configurations of one connection stand on. */
export interface ConfigGround {
  readonly client: EtcdClient;
  readonly watch: WatchHub;
  readonly session: EtcdSession;
  /** The first part of every key. */
  readonly namespace: string;
  /** Who this process is. */
  readonly identity: ConfigIdentity;
  /** What this process has declared; one object for reader and publisher. */
  readonly declarations: ConfigDeclarations;
  /** Where the last good documents are kept for a start without etcd; nowhere if it is left out. */
  readonly snapshot?: SnapshotOptions;
  /** Milliseconds between looks at whether the documents are still etcd's; 0 turns them off. Default 60000. */
  readonly checkIntervalMs?: number;
  /**
   * Whether etcd is known to be away now, so that nothing is gained by waiting for it: the
   * snapshot serves at once. Left out, it does after the deadline of a read.
   */
  readonly isAway?: () => boolean;
}
