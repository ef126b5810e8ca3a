import { onTestFinished } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import {
  configLayerKey,
  configCandidateKey,
  configReleaseKey,
} from '../../../libs/etcd-coordination/src/client/keys.js';
import type {
  ConfigChange,
  ConfigRejection,
} from '../../../libs/etcd-coordination/src/config/config-change.js';
import { ConfigDeclarations } from '../../../libs/etcd-coordination/src/config/config-declarations.js';
import type { ConfigIdentity } from '../../../libs/etcd-coordination/src/config/config-identity.js';
import {
  layerPath,
  type ConfigLayer,
} from '../../../libs/etcd-coordination/src/config/config-layer.js';
import { ConfigPublisher } from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import type { FollowedConfig } from '../../../libs/etcd-coordination/src/config/release/followed-config.js';
import { ConfigSnapshot } from '../../../libs/etcd-coordination/src/config/snapshot/config-snapshot.js';
import type { WatchedConfig } from '../../../libs/etcd-coordination/src/config/watched-config.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { clientOptions, type TestOptions } from '../client/options.js';

export const NAMESPACE = 'reading';

export interface StoreOptions {
  readonly identity?: Partial<ConfigIdentity>;
  /** The path of the snapshot. */
  readonly snapshot?: string;
  readonly encryptionKey?: Uint8Array;
  readonly connection?: TestOptions;
  readonly namespace?: string;
  /** Whose end is the store's, for tests that run beside others. Default the one test that runs. */
  readonly onTestFinished?: (close: () => Promise<void>) => void;
}

/** A store with a connection of its own, as a process has it. */
export interface TestStore {
  readonly store: ConfigStore;
  readonly client: EtcdClient;
  /** What releases would be given. */
  readonly followed: FollowedConfig[];
  readonly rejections: ConfigRejection[];
  close(): Promise<void>;
}

/** Starts, with etcd or without; it is closed when the test ends. */
export async function startStore(
  endpoint: string,
  { identity, snapshot: file, encryptionKey, connection, ...options }: StoreOptions = {},
): Promise<TestStore> {
  const { namespace = NAMESPACE, onTestFinished: onEnd = onTestFinished } = options;
  const client = await EtcdClient.connect(clientOptions(endpoint, connection), {
    startWithout: () => true,
  });
  const watch = new WatchHub(client);
  const who = { instanceId: 'orders-1', service: 'orders', zone: 'eu', labels: {}, ...identity };
  const declarations = new ConfigDeclarations();
  const followed: FollowedConfig[] = [];
  const store = new ConfigStore(
    {
      ...{ client, watch, namespace, identity: who, declarations },
      ...(file !== undefined && {
        snapshot: new ConfigSnapshot(
          { file, ...(encryptionKey && { encryptionKey }) },
          { connection: 'test', namespace, service: who.service },
        ),
      }),
    },
    {
      publisher: new ConfigPublisher({ client, namespace, identity: who }),
      releases: {
        follow: (config) => {
          followed.push(config);
          return () => void followed.splice(followed.indexOf(config), 1);
        },
      },
    },
  );
  const rejections: ConfigRejection[] = [];
  store.rejections$.subscribe((rejection) => void rejections.push(rejection));
  const close = async () => {
    await store.close();
    await watch.close();
    await client.close();
  };
  onEnd(close);
  await store.start();
  return { store, client, followed, rejections, close };
}

/** Where a layer's document lies. */
export function layerKey(config: string, layer: ConfigLayer = 'shared'): string {
  return configLayerKey(NAMESPACE, config, layerPath(layer));
}

export const releaseKey = (config: string) => configReleaseKey(NAMESPACE, config);
export const candidateKey = (config: string) => configCandidateKey(NAMESPACE, config);

/** Every change of a configuration from now on. */
export function changesOf<T>(watched: WatchedConfig<T>): ConfigChange<T>[] {
  const changes: ConfigChange<T>[] = [];
  const subscription = watched.changes$.subscribe((change) => void changes.push(change));
  onTestFinished(() => subscription.unsubscribe());
  return changes;
}

let names = 0;
/** A configuration that no other test of the file has. */
export function freshName(): string {
  return `config-${(names += 1)}`;
}
