import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { EtcdClient } from '../client/etcd-client.js';
import { FENCE_GATES, FenceGate } from '../fencing/fence-gate.js';
import { FenceLedger } from '../fencing/fence-ledger.js';
import { LOCK_GATES, LockGate } from '../lock/lock-gate.js';
import { LockService } from '../lock/lock.service.js';
import { EtcdSession } from '../session/etcd-session.js';
import { EtcdTransactions } from '../transaction/etcd-transactions.js';
import { WatchHub } from '../watch/watch-hub.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import { getCoordinationToken, optionsToken } from './coordination.tokens.js';

/** What a connection provides of locks, and of what their fences guard. */
export function lockProviders(connection: string): FactoryProvider[] {
  const options = optionsToken(connection);
  const client = getCoordinationToken(EtcdClient, connection);
  const session = getCoordinationToken(EtcdSession, connection);
  const hub = getCoordinationToken(WatchHub, connection);
  const locks = getCoordinationToken(LockService, connection);
  const ledger = getCoordinationToken(FenceLedger, connection);
  return [
    {
      provide: locks,
      useFactory: (
        connected: EtcdClient,
        lease: EtcdSession,
        watch: WatchHub,
        { namespace, instanceId, lock: turns }: ResolvedCoordinationOptions,
      ) =>
        new LockService({ client: connected, session: lease, watch, namespace, instanceId, turns }),
      inject: [client, session, hub, options],
    },
    {
      provide: getCoordinationToken(EtcdTransactions, connection),
      useFactory: (
        connected: EtcdClient,
        lease: EtcdSession,
        { namespace }: ResolvedCoordinationOptions,
      ) => new EtcdTransactions({ client: connected, session: lease, namespace }),
      inject: [client, session, options],
    },
    {
      provide: ledger,
      useFactory: (connected: EtcdClient, { namespace }: ResolvedCoordinationOptions) =>
        new FenceLedger({ client: connected, namespace }),
      inject: [client, options],
    },
    {
      provide: LOCK_GATES.token(connection),
      useFactory: (service: LockService) => new LockGate(service),
      inject: [locks],
    },
    {
      provide: FENCE_GATES.token(connection),
      useFactory: (observed: FenceLedger) => new FenceGate(observed),
      inject: [ledger],
    },
  ];
}

/** What of it other modules may inject. */
export function lockExports(connection: string): InjectionToken[] {
  return [
    getCoordinationToken(LockService, connection),
    getCoordinationToken(EtcdTransactions, connection),
    getCoordinationToken(FenceLedger, connection),
    LOCK_GATES.token(connection),
    FENCE_GATES.token(connection),
  ];
}
