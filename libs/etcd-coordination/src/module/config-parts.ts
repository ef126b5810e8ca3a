import type { EtcdClient } from '../client/etcd-client.js';
import { ConfigDeclarations } from '../config/config-declarations.js';
import type { ConfigIdentity } from '../config/config-identity.js';
import { ConfigPublisher } from '../config/config-publisher.js';
import { ConfigStore } from '../config/config.store.js';
import { ConfigReleases } from '../config/release/config-releases.service.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import type { ElectionService } from '../election/election.service.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import { ElectedReleases } from './elected-releases.js';

/** What a connection has of configuration. */
export interface ConfigParts {
  readonly store: ConfigStore;
  readonly releases: ConfigReleases;
}

/** Builds what a connection has of configuration; nothing begins by that. */
export function configParts(
  client: EtcdClient,
  session: EtcdSession,
  watch: WatchHub,
  elections: ElectionService,
  snapshot: ConfigSnapshot | null,
  options: ResolvedCoordinationOptions,
): ConfigParts {
  const { namespace, config } = options;
  const { historyLimit } = config;
  const identity = identityOf(options);
  const declarations = new ConfigDeclarations();
  const publisher = new ConfigPublisher({
    ...{ client, namespace, identity, historyLimit },
    declared: (key) => declarations.get(key),
  });
  const releases = new ConfigReleases({
    ...{ client, session, watch, namespace, identity, publisher, historyLimit },
    leadership: new ElectedReleases(elections, client.clock),
  });
  const store = new ConfigStore(
    {
      ...{ client, watch, namespace, identity, declarations },
      ...(snapshot && { snapshot }),
      checkIntervalMs: options.watch.checkIntervalMs,
    },
    { publisher, releases },
  );
  return { store, releases };
}

/** Who this process is to a configuration. */
export function identityOf({ instanceId, service }: ResolvedCoordinationOptions): ConfigIdentity {
  const { name, zone, version, metadata } = service ?? {};
  return {
    instanceId,
    ...(name !== undefined && { service: name }),
    ...(zone !== undefined && { zone }),
    labels: { ...metadata, ...(version !== undefined && { version }) },
  };
}
