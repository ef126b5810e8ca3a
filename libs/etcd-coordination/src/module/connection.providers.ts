import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { EtcdClient } from '../client/etcd-client.js';
import { ElectionService } from '../election/election.service.js';
import { LeaderGate, leaderGateToken } from '../election/leader-gate.js';
import { EtcdSession } from '../session/etcd-session.js';
import { WatchHub } from '../watch/watch-hub.js';
import { ConnectionRegistry } from './connection-registry.js';
import { CoordinationConnection, type ConnectionParts } from './coordination-connection.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import { getCoordinationToken, getEtcdToken, internalToken } from './coordination.tokens.js';

/** The token of the validated options of a connection, its name claimed. */
export function optionsToken(connection: string): InjectionToken<ResolvedCoordinationOptions> {
  return internalToken('the options of etcd', connection);
}

/** What a connection provides, made of {@link optionsToken}. */
export function connectionProviders(connection: string): FactoryProvider[] {
  const options = optionsToken(connection);
  const client = getCoordinationToken(EtcdClient, connection);
  const session = getCoordinationToken(EtcdSession, connection);
  const watch = getCoordinationToken(WatchHub, connection);
  const elections = getCoordinationToken(ElectionService, connection);
  const gate = leaderGateToken(connection);
  return [
    {
      provide: client,
      useFactory: (registry: ConnectionRegistry, resolved: ResolvedCoordinationOptions) =>
        registry.connect(resolved),
      inject: [ConnectionRegistry, options],
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
      provide: watch,
      useFactory: (connected: EtcdClient) => new WatchHub(connected),
      inject: [client],
    },
    {
      provide: elections,
      useFactory: (
        connected: EtcdClient,
        lease: EtcdSession,
        hub: WatchHub,
        { namespace, instanceId }: ResolvedCoordinationOptions,
      ) =>
        new ElectionService({
          client: connected,
          session: lease,
          watch: hub,
          namespace,
          instanceId,
        }),
      inject: [client, session, watch, options],
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
        ...[resolved, connected, lease, hub, service, leaderGate]: [
          ConnectionParts['options'],
          ConnectionParts['client'],
          ConnectionParts['session'],
          ConnectionParts['watch'],
          ConnectionParts['elections'],
          ConnectionParts['gate'],
        ]
      ) => {
        const made = new CoordinationConnection({
          options: resolved,
          client: connected,
          session: lease,
          watch: hub,
          elections: service,
          gate: leaderGate,
        });
        registry.add(made);
        return made;
      },
      inject: [ConnectionRegistry, options, client, session, watch, elections, gate],
    },
  ];
}

/** What of it other modules may inject. */
export function connectionExports(connection: string): InjectionToken[] {
  return [
    getEtcdToken(connection),
    getCoordinationToken(EtcdClient, connection),
    getCoordinationToken(EtcdSession, connection),
    getCoordinationToken(WatchHub, connection),
    getCoordinationToken(ElectionService, connection),
    leaderGateToken(connection),
  ];
}

function connectionToken(connection: string): InjectionToken<CoordinationConnection> {
  return internalToken('the etcd connection', connection);
}
