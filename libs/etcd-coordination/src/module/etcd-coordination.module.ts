import { type DynamicModule, Global, Module, type Provider } from '@nestjs/common';
import { ConfigExplorer } from '../config/config.explorer.js';
import { ElectionExplorer } from '../election/election.explorer.js';
import { ConfigParticipation, ConfigRetirement } from './config-participation.js';
import { connectionExports, connectionProviders } from './connection.providers.js';
import { ConnectionRegistry } from './connection-registry.js';
import type { CoordinationAsyncOptions, CoordinationOptions } from './coordination-options.js';
import { OPTIONS_REWRITE, type OptionsRewrite } from './coordination.tokens.js';
import { ElectionParticipation } from './election-participation.js';
import { GateParticipation } from './gate-participation.js';
import { RegistryParticipation } from './registry-participation.js';
import { RateLimitExplorer } from '../traffic/limit/rate-limit.explorer.js';
import { ResilienceExplorer } from '../traffic/resilience/resilience.explorer.js';
import { DegradableExplorer } from '../traffic/switches/degradable.explorer.js';
import { TrafficParticipation } from './traffic-participation.js';
import { asyncOptionsProviders, syncOptionsProvider } from './options.providers.js';
import { readConnectionName, validateOptions } from './validate-options.js';

// Nest keys dynamic modules by reference, so each forRoot call makes one of its own. What an
// application has once, however many connections there are, lives in these two static ones.

const asGiven: OptionsRewrite = (options) => options;

@Global()
@Module({
  providers: [
    { provide: OPTIONS_REWRITE, useValue: asGiven },
    ConnectionRegistry,
    ConfigExplorer,
    ConfigParticipation,
  ],
  exports: [ConnectionRegistry, ConfigParticipation],
})
class ConnectionsModule {}

@Module({
  providers: [
    GateParticipation,
    ElectionExplorer,
    ElectionParticipation,
    RegistryParticipation,
    RateLimitExplorer,
    ResilienceExplorer,
    DegradableExplorer,
    TrafficParticipation,
    ConfigRetirement,
  ],
})
class ParticipationModule {}

/**
 * Connects an application to etcd and lets it act as one with its fleet.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [EtcdCoordinationModule.forRoot({ endpoints: ['127.0.0.1:2379'] })],
 * })
 * export class AppModule {}
 * ```
 */
@Module({})
export class EtcdCoordinationModule {
  /**
   * Makes a connection for the whole application; import it once for each, in the root module.
   *
   * The application's start fails with an `EtcdConnectError` if no endpoint can be used, and with
   * a `DuplicateConnectionError` if two connections have one name.
   *
   * @throws {InvalidOptionError} at once, naming the wrong option, its value and the cure
   */
  static forRoot(options: CoordinationOptions): DynamicModule {
    const resolved = validateOptions(options);
    return coordinationModule(resolved.connection, [syncOptionsProvider(resolved)]);
  }

  /**
   * As {@link forRoot}, with options that are made while the application starts, of what `inject`
   * names. What is wrong with them fails the start.
   *
   * @throws {InvalidOptionError} at once, if there is no way to make them
   */
  static forRootAsync(options: CoordinationAsyncOptions): DynamicModule {
    const connection = readConnectionName(options?.connection);
    return coordinationModule(
      connection,
      asyncOptionsProviders(options, connection),
      options.imports,
    );
  }
}

/** A connection whose options come from `options`, which provide the token of them. */
export function coordinationModule(
  connection: string,
  options: readonly Provider[],
  imports: DynamicModule['imports'] = [],
): DynamicModule {
  return {
    module: EtcdCoordinationModule,
    global: true,
    imports: [ConnectionsModule, ParticipationModule, ...imports],
    providers: [...options, ...connectionProviders(connection)],
    exports: connectionExports(connection),
  };
}
