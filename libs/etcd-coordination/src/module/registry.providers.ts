import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { EtcdClient } from '../client/etcd-client.js';
import { ElectionService } from '../election/election.service.js';
import { ServiceProber } from '../registry/probe/prober.js';
import { ServiceDiscovery } from '../discovery/service.discovery.js';
import { ServiceRegistry } from '../registry/service.registry.js';
import { EtcdSession } from '../session/etcd-session.js';
import { WatchHub } from '../watch/watch-hub.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import { getCoordinationToken, optionsToken, probingToken } from './coordination.tokens.js';
import { ElectedProbers } from './elected-probers.js';
import { Probing } from './probing.js';

/** What a connection provides of the registry, and of the discovery of what others have registered. */
export function registryProviders(connection: string): FactoryProvider[] {
  const options = optionsToken(connection);
  const client = getCoordinationToken(EtcdClient, connection);
  const session = getCoordinationToken(EtcdSession, connection);
  const hub = getCoordinationToken(WatchHub, connection);
  const elections = getCoordinationToken(ElectionService, connection);
  const probing = probingToken(connection);
  return [
    {
      provide: probing,
      useFactory: (
        connected: EtcdClient,
        watch: WatchHub,
        service: ElectionService,
        { namespace, instanceId, registry }: ResolvedCoordinationOptions,
      ) => {
        const ground = { client: connected, watch, namespace, instanceId };
        const election = new ElectedProbers(service);
        return new Probing(
          () => new ServiceProber({ ...ground, election }),
          registry.prober ?? null,
        );
      },
      inject: [client, hub, elections, options],
    },
    {
      provide: getCoordinationToken(ServiceRegistry, connection),
      useFactory: (
        connected: EtcdClient,
        lease: EtcdSession,
        watch: WatchHub,
        prober: Probing,
        { namespace, instanceId }: ResolvedCoordinationOptions,
      ) =>
        new ServiceRegistry({
          ...{ client: connected, session: lease, watch, namespace, instanceId },
          onProbed: () => prober.wanted(),
        }),
      inject: [client, session, hub, probing, options],
    },
    {
      provide: getCoordinationToken(ServiceDiscovery, connection),
      useFactory: async (
        connected: EtcdClient,
        watch: WatchHub,
        { namespace, instanceId, service, discovery }: ResolvedCoordinationOptions,
      ) => {
        const made = new ServiceDiscovery({
          ...{ client: connected, watch, namespace, instanceId, options: discovery },
          zone: service?.zone ?? null,
        });
        await made.open();
        return made;
      },
      inject: [client, hub, options],
    },
  ];
}

/** What of it other modules may inject. */
export function registryExports(connection: string): InjectionToken[] {
  return [
    getCoordinationToken(ServiceRegistry, connection),
    getCoordinationToken(ServiceDiscovery, connection),
  ];
}
