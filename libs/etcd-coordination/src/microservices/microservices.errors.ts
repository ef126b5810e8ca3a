import { EtcdCoordinationError } from '../client/coordination.error.js';
import { importAdvice } from '../nest/connection-symbols.js';

/** A client does not know in which application's registry its service is. */
export class UnboundClientError extends EtcdCoordinationError {
  constructor(readonly service: string) {
    super(
      'UNBOUND_CLIENT',
      `The client of the service "${service}" does not know a registry yet: import DiscoveredClientsModule into the application, and send nothing before its onModuleInit; or make the client with DiscoveredClientsModule.register([{ name, service: '${service}' }]).`,
    );
  }
}

/** A client was closed while it had a message to send, or to send again, which it has not done. */
export class ClosedClientError extends EtcdCoordinationError {
  constructor(readonly service: string) {
    super(
      'CLOSED_CLIENT',
      `The client of the service "${service}" was closed before the message was sent, or sent again: close it when what it sends has come to its end.`,
    );
  }
}

/** The application has no registry for a client to follow. */
export class RegistryMissingError extends EtcdCoordinationError {
  constructor(
    readonly connection: string,
    cause?: unknown,
  ) {
    super(
      'REGISTRY_MISSING',
      `A client that follows the registry asks for the etcd connection "${connection}", which the application does not have. Import ${importAdvice(connection)}, or correct the client's "connection".`,
      { cause },
    );
  }
}

/** Two applications of a process share a client, which can follow the registry of one only. */
export class SharedClientError extends EtcdCoordinationError {
  constructor(readonly service: string) {
    super(
      'SHARED_CLIENT',
      `The client of the service "${service}" belongs to another application of this process already: ClientsModule.register() makes one object for all of them. Use DiscoveredClientsModule.register() or ClientsModule.registerAsync() in its place.`,
    );
  }
}

/** What a client was told of its service cannot be. */
export class InvalidClientOptionError extends EtcdCoordinationError {
  constructor(
    readonly option: string,
    detail: string,
  ) {
    super('INVALID_CLIENT_OPTION', detail);
  }
}

/** A message got no connection to its instance, or lost it. Bears the code by which such errors are known. */
export class InstanceConnectionError extends EtcdCoordinationError {
  constructor(
    address: string,
    code: 'ECONNREFUSED' | 'ECONNRESET',
    detail: string,
    options?: ErrorOptions,
  ) {
    super(code, `The connection to ${address} ${detail}.`, options);
  }
}
