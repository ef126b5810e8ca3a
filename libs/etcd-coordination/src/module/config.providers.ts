import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { ConfigStore } from '../config/config.store.js';
import { ConfigReleases } from '../config/release/config-releases.service.js';
import { loadedConfigToken } from '../config/watched-member.js';
import { ConfigParticipation } from './config-participation.js';
import { ConnectionRegistry } from './connection-registry.js';
import type { CoordinationConnection } from './coordination-connection.js';
import { connectionToken, getCoordinationToken } from './coordination.tokens.js';

/** What a connection provides of configuration. */
export function configProviders(connection: string): FactoryProvider[] {
  const whole = connectionToken(connection);
  return [
    {
      provide: getCoordinationToken(ConfigStore, connection),
      useFactory: ({ parts }: CoordinationConnection) => parts.config.store,
      inject: [whole],
    },
    {
      provide: getCoordinationToken(ConfigReleases, connection),
      useFactory: ({ parts }: CoordinationConnection) => parts.config.releases,
      inject: [whole],
    },
    {
      provide: loadedConfigToken(connection),
      useFactory: (
        registry: ConnectionRegistry,
        participation: ConfigParticipation,
        { parts: { config } }: CoordinationConnection,
      ) =>
        registry.allOrNone(async () => {
          await participation.load(connection, config.store);
          return config.store;
        }),
      inject: [ConnectionRegistry, ConfigParticipation, whole],
    },
  ];
}

/** What of it other modules may inject. */
export function configExports(connection: string): InjectionToken[] {
  return [
    getCoordinationToken(ConfigStore, connection),
    getCoordinationToken(ConfigReleases, connection),
    loadedConfigToken(connection),
  ];
}
