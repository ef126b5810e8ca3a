import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { EtcdClient } from '../client/etcd-client.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import { ElectionService } from '../election/election.service.js';
import { LEADER_GATES, LeaderGate } from '../election/leader-gate.js';
import { LockService } from '../lock/lock.service.js';
import { ServiceDiscovery } from '../discovery/service.discovery.js';
import { ServiceRegistry } from '../registry/service.registry.js';
import { EtcdSession } from '../session/etcd-session.js';
import { WatchHub } from '../watch/watch-hub.js';
import { WatchService } from '../watch/watch.service.js';
import { configParts } from './config-parts.js';
import { configExports, configProviders } from './config.providers.js';
import { ConnectionRegistry } from './connection-registry.js';
import { CoordinationConnection, type ConnectionParts } from './coordination-connection.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import { lockExports, lockProviders } from './lock.providers.js';
import { registryExports, registryProviders } from './registry.providers.js';
import { trafficParts } from './traffic-parts.js';
import { trafficExports, trafficProviders } from './traffic.providers.js';
import {
  connectionToken,
  getCoordinationToken,
  getEtcdToken,
  optionsToken,
  probingToken,
  snapshotToken,
} from './coordination.tokens.js';

/** What a connection provides, made of {@link optionsToken}. */
export function connectionProviders(connection: string): FactoryProvider[] {
  const options = optionsToken(connection);
  const snapshot = snapshotToken(connection);
  const client = getCoordinationToken(EtcdClient, connection);
  const session = getCoordinationToken(EtcdSession, connection);
  const hub = getCoordinationToken(WatchHub, connection);
  const watches = getCoordinationToken(WatchService, connection);
  const elections = getCoordinationToken(ElectionService, connection);
  const locks = getCoordinationToken(LockService, connection);
  const registrations = getCoordinationToken(ServiceRegistry, connection);
  const discovery = getCoordinationToken(ServiceDiscovery, connection);
  const gate = LEADER_GATES.token(connection);
  return [
    {
      provide: snapshot,
      useFactory: (registry: ConnectionRegistry, resolved: ResolvedCoordinationOptions) =>
        registry.openSnapshot(resolved),
      inject: [ConnectionRegistry, options],
    },
    {
      provide: client,
      useFactory: (
        registry: ConnectionRegistry,
        resolved: ResolvedCoordinationOptions,
        kept: ConfigSnapshot | null,
      ) => registry.connect(resolved, kept),
      inject: [ConnectionRegistry, options, snapshot],
    },
    {
      provide: getEtcdToken(connection),
      useFactory: (connected: EtcdClient) => connected.etcd,
      inject: [client],
    },
    {
      provide: session,
      useFactory: (connected: EtcdClient, resolved: ResolvedCoordinationOptions) =>
        new EtcdSession(connected, resolved.session),
      inject: [client, options],
    },
    {
      provide: hub,
      useFactory: (connected: EtcdClient) => new WatchHub(connected),
      inject: [client],
    },
    {
      provide: watches,
      useFactory: (
        connected: EtcdClient,
        standing: WatchHub,
        { namespace, watch }: ResolvedCoordinationOptions,
      ) => new WatchService(connected, standing, namespace, watch),
      inject: [client, hub, options],
    },
    {
      provide: elections,
      useFactory: (
        connected: EtcdClient,
        lease: EtcdSession,
        standing: WatchHub,
        { namespace, instanceId }: ResolvedCoordinationOptions,
      ) =>
        new ElectionService({
          client: connected,
          session: lease,
          watch: standing,
          namespace,
          instanceId,
        }),
      inject: [client, session, hub, options],
    },
    {
      provide: gate,
      useFactory: (service: ElectionService, { instanceId }: ResolvedCoordinationOptions) =>
        new LeaderGate(service, instanceId),
      inject: [elections, options],
    },
    {
      provide: connectionToken(connection),
      useFactory: (
        registry: ConnectionRegistry,
        ...[
          resolved,
          connected,
          lease,
          standing,
          watcher,
          service,
          locker,
          own,
          prober,
          others,
          kept,
        ]: [
          ConnectionParts['options'],
          ConnectionParts['client'],
          ConnectionParts['session'],
          ConnectionParts['watch'],
          ConnectionParts['watches'],
          ConnectionParts['elections'],
          ConnectionParts['locks'],
          ConnectionParts['registry'],
          ConnectionParts['probing'],
          ConnectionParts['discovery'],
          ConfigSnapshot | null,
        ]
      ) => {
        const config = configParts(connected, lease, standing, service, kept, resolved);
        const made = new CoordinationConnection({
          options: resolved,
          client: connected,
          session: lease,
          watch: standing,
          watches: watcher,
          elections: service,
          locks: locker,
          registry: own,
          probing: prober,
          discovery: others,
          config,
          traffic: trafficParts(connected, lease, standing, config.store, resolved),
          snapshot: kept,
        });
        registry.add(made);
        return made;
      },
      inject: [
        ConnectionRegistry,
        ...[options, client, session, hub, watches, elections, locks],
        ...[registrations, probingToken(connection), discovery, snapshot],
      ],
    },
    ...lockProviders(connection),
    ...configProviders(connection),
    ...registryProviders(connection),
    ...trafficProviders(connection),
  ];
}

/** What of it other modules may inject. */
export function connectionExports(connection: string): InjectionToken[] {
  return [
    getEtcdToken(connection),
    getCoordinationToken(EtcdClient, connection),
    getCoordinationToken(EtcdSession, connection),
    getCoordinationToken(WatchHub, connection),
    getCoordinationToken(WatchService, connection),
    getCoordinationToken(ElectionService, connection),
    LEADER_GATES.token(connection),
    ...lockExports(connection),
    ...configExports(connection),
    ...registryExports(connection),
    ...trafficExports(connection),
  ];
}
