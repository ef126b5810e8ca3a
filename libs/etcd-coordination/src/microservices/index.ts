export type { DiscoveredClientOptions, MessageCallOptions } from './client-options.js';
export { DiscoveredClient, discoveredClient } from './discovered-client.js';
export {
  type DiscoveredClientDefinition,
  DiscoveredClientsModule,
} from './discovered-clients.module.js';
export {
  ClosedClientError,
  InstanceConnectionError,
  InvalidClientOptionError,
  RegistryMissingError,
  SharedClientError,
  UnboundClientError,
} from './microservices.errors.js';
export { resolverFor, serviceChannelOptions } from './service-resolver.js';
