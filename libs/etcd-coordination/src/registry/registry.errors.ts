import { EtcdCoordinationError } from '../client/coordination.error.js';

/** What was said of a service, an instance or a mark cannot be. Nothing was changed. */
export class InvalidRegistrationError extends EtcdCoordinationError {
  constructor(
    /** The option at fault, such as `address`. */
    readonly option: string,
    detail: string,
    cause?: unknown,
  ) {
    super('INVALID_REGISTRATION', detail, { cause });
  }
}

/** Somebody who lives is registered under the same id: another process, or this one. */
export class DuplicateInstanceError extends EtcdCoordinationError {
  constructor(
    readonly service: string,
    readonly instanceId: string,
    /** Whether it is this process itself. */
    ofThisProcess = false,
  ) {
    super(
      'DUPLICATE_INSTANCE',
      ofThisProcess
        ? `This process has registered the instance "${instanceId}" of the service "${service}" already; deregister that one first, or give this one an "id" of its own.`
        : `Another process is registered as the instance "${instanceId}" of the service "${service}", and keeps its lease alive; give each process an "instanceId" of its own, or leave it out.`,
    );
  }
}

/** The registration was ended while it was being made, or changed after it was ended. */
export class RegistrationEndedError extends EtcdCoordinationError {
  constructor(service: string, instanceId: string, why: string) {
    super(
      'REGISTRATION_ENDED',
      `The registration of the instance "${instanceId}" of the service "${service}" is over: ${why}.`,
    );
  }
}
