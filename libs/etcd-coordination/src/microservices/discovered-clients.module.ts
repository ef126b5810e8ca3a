import {
  type DynamicModule,
  type FactoryProvider,
  type InjectionToken,
  Module,
} from '@nestjs/common';
import type { PoolSource } from '../discovery/call/service-fetch.js';
import { ServiceDiscovery } from '../discovery/service.discovery.js';
import { getCoordinationToken } from '../module/coordination.tokens.js';
import { ClientBinderModule } from './client-binder.js';
import { assertClientOptions, type DiscoveredClientOptions } from './client-options.js';
import { DiscoveredClient } from './discovered-client.js';

/** A client of a service, and the token that it is injected by. */
export interface DiscoveredClientDefinition extends Omit<DiscoveredClientOptions, 'discovery'> {
  readonly name: InjectionToken;
}

/**
 * Clients of messages that follow the registry.
 *
 * `register()` provides them. Imported without it, it still finds those that Nest's own `ClientsModule` and
 * `@Client` make of `DiscoveredClient`, and the gRPC clients whose `url` is `etcd-service:///<service>`: they
 * work from its `onModuleInit` on, which comes before those of other modules.
 *
 * @example
 * ```ts
 * imports: [DiscoveredClientsModule.register([{ name: 'STOCK', service: 'inventory' }])]
 * // …
 * constructor(@Inject('STOCK') private readonly stock: ClientProxy) {}
 * ```
 */
@Module({ imports: [ClientBinderModule] })
export class DiscoveredClientsModule {
  /**
   * @throws {InvalidClientOptionError} or {InvalidDiscoveryOptionError} naming what cannot be
   */
  static register(
    clients: readonly DiscoveredClientDefinition[],
    { isGlobal = false }: { readonly isGlobal?: boolean } = {},
  ): DynamicModule {
    const providers = clients.map(clientProvider);
    return {
      module: DiscoveredClientsModule,
      global: isGlobal,
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}

function clientProvider({
  name,
  ...options
}: DiscoveredClientDefinition): FactoryProvider<DiscoveredClient> {
  assertClientOptions(options);
  return {
    provide: name,
    useFactory: (discovery: PoolSource) => new DiscoveredClient({ ...options, discovery }),
    inject: [getCoordinationToken(ServiceDiscovery, options.connection)],
  };
}
