import { EtcdCoordinationError } from '../client/coordination.error.js';

/** Two `forRoot` calls of one application give the same connection name. Nothing stays connected. */
export class DuplicateConnectionError extends EtcdCoordinationError {
  constructor(readonly connection: string) {
    super(
      'DUPLICATE_CONNECTION',
      `The application has two etcd connections named "${connection}". Import EtcdCoordinationModule.forRoot once, in the root module, or give each its own name: forRoot({ connection: 'reports', ... }).`,
    );
  }
}

/** A class names a connection that the application does not have. */
export class UnknownConnectionError extends EtcdCoordinationError {
  constructor(
    readonly connection: string,
    asker: string,
    known: readonly string[],
  ) {
    super(
      'UNKNOWN_CONNECTION',
      `${asker} asks for the etcd connection "${connection}", which the application does not have; it has ${known.map((name) => `"${name}"`).join(', ') || 'none'}. Import EtcdCoordinationModule.forRoot({ connection: '${connection}', ... }) in the root module, or correct the name.`,
    );
  }
}

/** The factory given to `forRootAsync` failed. */
export class OptionsFactoryError extends EtcdCoordinationError {
  constructor(
    readonly connection: string,
    cause: unknown,
  ) {
    super(
      'OPTIONS_FACTORY_FAILED',
      `The factory given to EtcdCoordinationModule.forRootAsync for the connection "${connection}" failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
