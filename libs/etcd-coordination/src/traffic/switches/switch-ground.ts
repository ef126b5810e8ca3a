import type { EtcdClient } from '../../client/etcd-client.js';
import type { DelayMeter } from '../../client/event-loop-meter.js';
import type { ConfigStore } from '../../config/config.store.js';
import type { EtcdSession } from '../../session/etcd-session.js';
import type { WatchHub } from '../../watch/watch-hub.js';

/** What the switches of one connection stand on. */
export interface SwitchGround {
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly watch: WatchHub;
  readonly store: Pick<ConfigStore, 'follow' | 'get' | 'set' | 'history'>;
  readonly namespace: string;
  /** Who this process is. */
  readonly instanceId: string;
  /** The wall clock, for what is recorded. */
  readonly now?: () => Date;
  /** From 0 to 1, for pauses. */
  readonly random?: () => number;
  /** Makes what measures the event loop. */
  readonly makeMeter?: () => DelayMeter;
}
