import { onTestFinished } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import type { DelayMeter } from '../../../libs/etcd-coordination/src/client/event-loop-meter.js';
import { ConfigDeclarations } from '../../../libs/etcd-coordination/src/config/config-declarations.js';
import { ConfigPublisher } from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import type { SwitchGround } from '../../../libs/etcd-coordination/src/traffic/switches/switch-ground.js';
import type { SwitchOptions } from '../../../libs/etcd-coordination/src/traffic/switches/switch-rule.js';
import { Switches } from '../../../libs/etcd-coordination/src/traffic/switches/switches.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { clientOptions } from '../client/options.js';

export const NAMESPACE = 'switching';

/** Said of every change in these tests. */
export const ADA = { author: 'ada', reason: 'the search is down' };

/** What one process has of its switches, with a connection of its own. */
export interface SwitchInstance {
  readonly id: string;
  readonly ground: SwitchGround;
  readonly switches: Switches;
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly store: ConfigStore;
  /** As the module closes it. */
  close(): Promise<void>;
}

export interface SwitchInstanceOptions {
  readonly namespace?: string;
  readonly ttlSeconds?: number;
  readonly makeMeter?: () => DelayMeter;
}

/** Starts, with etcd or without; it is closed when the test ends. */
export async function startSwitches(
  id: string,
  endpoint: string,
  declared: Readonly<Record<string, SwitchOptions>>,
  { namespace = NAMESPACE, ttlSeconds = 5, makeMeter }: SwitchInstanceOptions = {},
): Promise<SwitchInstance> {
  const client = await EtcdClient.connect(clientOptions(endpoint), { startWithout: () => true });
  const watch = new WatchHub(client);
  const session = new EtcdSession(client, { ttlSeconds });
  const identity = { instanceId: id, labels: {} };
  const declarations = new ConfigDeclarations();
  const publisher = new ConfigPublisher({
    ...{ client, namespace, identity },
    declared: (key) => declarations.get(key),
  });
  const store = new ConfigStore(
    { client, watch, namespace, identity, declarations },
    { publisher },
  );
  await store.start();
  if (client.isAwaited) session.startLater();
  else await session.start();
  const ground = {
    ...{ client, session, watch, store, namespace, instanceId: id },
    ...(makeMeter && { makeMeter }),
  };
  const switches = new Switches(ground, declared);
  for (const name of switches.names) switches.of(name);
  const close = async () => {
    await switches.close();
    await store.close();
    await session.close();
    await watch.close();
    await client.close();
  };
  onTestFinished(close);
  return { id, ground, switches, client, session, store, close };
}

let namespaces = 0;
/** A namespace that no other test of the file has. */
export function freshNamespace(): string {
  return `${NAMESPACE}-${(namespaces += 1)}`;
}
