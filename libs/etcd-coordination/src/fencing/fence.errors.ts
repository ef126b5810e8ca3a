import type { EtcdCoordinationError } from '../client/coordination.error.js';
import { HttpStatusError } from '../client/http-status.error.js';

/** What was given or received as a fence is none. HTTP 400. Nothing has run. */
export class InvalidFenceError extends HttpStatusError {
  readonly statusCode = 400;

  constructor(fault: string) {
    super(
      'INVALID_FENCE',
      `The fence cannot be read: ${fault}. Send what fenceHeaders() or encodeFence() gives, unchanged.`,
    );
  }
}

/** A call came without a fence to a method that demands one. HTTP 428. Nothing has run. */
export class FenceRequiredError extends HttpStatusError {
  readonly statusCode = 428;

  constructor(
    /** The resource whose fence is demanded. */
    readonly resource: string,
    method: string,
  ) {
    super(
      'FENCE_REQUIRED',
      `${method}() runs only for who owns "${resource}", and the call carries no fence. ` +
        `Call it under that lock or in that term, with the headers of fenceHeaders() or through a client given to carryFences().`,
    );
  }
}

/** A call carries fences, but none of the resource that the method demands. HTTP 409. Nothing has run. */
export class FenceMismatchError extends HttpStatusError {
  readonly statusCode = 409;

  constructor(
    /** The resource whose fence is demanded. */
    readonly resource: string,
    method: string,
    /** What the call does prove the ownership of. */
    readonly owned: readonly string[],
  ) {
    super(
      'FENCE_MISMATCH',
      `${method}() runs only for who owns "${resource}", and the call comes from an owner of ${owned
        .map((name) => JSON.stringify(name))
        .join(', ')}. Call it under "${resource}".`,
    );
  }
}

/**
 * Whether a fence is the newest could not be asked of etcd; the reason is the `cause`. HTTP 503.
 * Nothing has run, and the call may be sent again.
 */
export class FenceUncheckedError extends HttpStatusError {
  readonly statusCode = 503;

  constructor(
    readonly resource: string,
    cause: Error,
  ) {
    super(
      'FENCE_UNCHECKED',
      `Whether a newer fence of "${resource}" has been seen could not be asked of etcd, so nothing was run under this one. Try again: ${cause.message}`,
      { cause },
    );
  }
}

/** What etcd keeps as the newest fence of a resource was not written by this library. HTTP 503. */
export class FenceLedgerError extends HttpStatusError {
  readonly statusCode = 503;

  constructor(
    readonly resource: string,
    /** The key in etcd that holds it. */
    readonly key: string,
    value: Buffer,
  ) {
    super(
      'FENCE_LEDGER_UNREADABLE',
      `The key ${key} should hold the newest fence seen of "${resource}" and holds ${shown(value)}, so no fence of it can be accepted. ` +
        `Somebody else has written it: put back its last good value, or delete it once no holder of an old fence is left.`,
    );
  }
}

/** The payload of an error of this library, as it goes to the sender of a message. */
export function refusalPayload(error: EtcdCoordinationError): object {
  const { code, message, resource, token, newest } = error as EtcdCoordinationError &
    Partial<{ resource: string; token: bigint; newest: bigint | null }>;
  return {
    status: 'error',
    code,
    message,
    ...(resource !== undefined && { resource }),
    // A bigint has no JSON.
    ...(token !== undefined && { token: token.toString() }),
    ...(typeof newest === 'bigint' && { newest: newest.toString() }),
  };
}

function shown(value: Buffer): string {
  const text = value.toString('utf8', 0, 40);
  return `${JSON.stringify(text)}${value.length > 40 ? '…' : ''}`;
}
