import {
  Global,
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { ClientGrpcProxy, type GrpcOptions } from '@nestjs/microservices';
import { ServiceDiscovery } from '../discovery/service.discovery.js';
import { getCoordinationToken } from '../module/coordination.tokens.js';
import { DiscoveredClient } from './discovered-client.js';
import { RegistryMissingError, SharedClientError } from './microservices.errors.js';
import {
  channelOptionsOf,
  GRPC_SERVICE_SCHEME,
  type PoolsOfConnection,
  POOLS_OPTION,
} from './service-resolver.js';

type GrpcClientOptions = GrpcOptions['options'];
type ClientWithOptions = ClientGrpcProxy & { options: GrpcClientOptions };

/**
 * Tells the clients that Nest made by itself, by `ClientsModule` and `@Client`, where the registry of their
 * application is. Nest makes them with nothing but their options, and a map for the process would mix up
 * two applications in it.
 */
@Injectable()
export class ClientBinder implements OnModuleInit, OnApplicationShutdown {
  private readonly bound = new Map<DiscoveredClient, ServiceDiscovery>();
  private readonly grpc = new Set<ClientWithOptions>();
  private readonly pools: PoolsOfConnection = (connection) => this.discovery(connection);

  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {}

  onModuleInit(): void {
    for (const client of clientsOf(this.modules)) {
      if (client instanceof ClientGrpcProxy) this.bindGrpc(client as ClientWithOptions);
      else this.bindTcp(client);
    }
  }

  onApplicationShutdown(): void {
    for (const [client, discovery] of this.bound) client.unbind(discovery);
    for (const client of this.grpc) {
      const { [POOLS_OPTION]: _, ...channelOptions } = client.options.channelOptions ?? {};
      client.options = { ...client.options, channelOptions };
    }
    this.bound.clear();
    this.grpc.clear();
  }

  private bindTcp(client: DiscoveredClient): void {
    if (client.isGiven) return;
    const discovery = this.discovery(client.connection);
    client.bind(discovery);
    this.bound.set(client, discovery);
  }

  private bindGrpc(client: ClientWithOptions): void {
    const { url, channelOptions } = client.options;
    if (typeof url !== 'string' || !url.startsWith(`${GRPC_SERVICE_SCHEME}:`)) return;
    if (this.grpc.has(client)) return;
    if (channelOptions && POOLS_OPTION in channelOptions) {
      // Said by hand, or by another application.
      if (boundElsewhere.has((channelOptions as Record<string, object>)[POOLS_OPTION]!)) {
        throw new SharedClientError(url.slice(url.lastIndexOf('/') + 1));
      }
      return;
    }
    boundElsewhere.add(this.pools);
    // Not changed in place: the options of a decorator are those of every application.
    client.options = {
      ...client.options,
      channelOptions: { ...channelOptions, ...channelOptionsOf(this.pools) },
    };
    this.grpc.add(client);
  }

  private discovery(connection: string): ServiceDiscovery {
    const token = getCoordinationToken(ServiceDiscovery, connection);
    try {
      return this.moduleRef.get(token, { strict: false });
    } catch (error) {
      throw new RegistryMissingError(connection, error);
    }
  }
}

/** What binders have put into the options of channels. */
const boundElsewhere = new WeakSet<object>();

/** One for each application, however often clients are registered. Global, so that it comes first. */
@Global()
@Module({ providers: [ClientBinder] })
export class ClientBinderModule {}

/** The clients among an application's objects, and those in their properties, where `@Client` puts them. */
function* clientsOf(modules: ModulesContainer): Iterable<DiscoveredClient | ClientGrpcProxy> {
  const seen = new Set<unknown>();
  for (const { providers, controllers } of modules.values()) {
    for (const { instance } of [...providers.values(), ...controllers.values()]) {
      for (const candidate of [instance, ...ownValues(instance)]) {
        if (seen.has(candidate) || !isClient(candidate)) continue;
        seen.add(candidate);
        yield candidate;
      }
    }
  }
}

function ownValues(instance: unknown): unknown[] {
  if (typeof instance !== 'object' || instance === null) return [];
  // Getters stay unread: they may do anything.
  return Object.values(Object.getOwnPropertyDescriptors(instance)).map(
    (property): unknown => property.value,
  );
}

function isClient(value: unknown): value is DiscoveredClient | ClientGrpcProxy {
  return value instanceof DiscoveredClient || value instanceof ClientGrpcProxy;
}
