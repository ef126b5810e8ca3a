import { EtcdCoordinationError } from '../../client/coordination.error.js';
import { HttpStatusError } from '../../client/http-status.error.js';
import type { ServiceInstance } from '../../registry/service-instance.js';

/** An instance did not answer within the time of one attempt. HTTP 504 if nobody handles it. */
export class CallTimeoutError extends HttpStatusError {
  readonly statusCode = 504;

  constructor(
    readonly service: string,
    readonly instanceId: string,
    readonly timeoutMs: number,
    address: string,
  ) {
    super(
      'CALL_TIMEOUT',
      `The instance "${instanceId}" of the service "${service}" at ${address} did not answer within ${timeoutMs} ms.`,
    );
  }

  static of({ service, id, address }: ServiceInstance, timeoutMs: number): CallTimeoutError {
    return new CallTimeoutError(service, id, timeoutMs, address);
  }
}

/** An address does not say which service is to be called. Nothing was called. */
export class InvalidServiceUrlError extends EtcdCoordinationError {
  constructor(
    /** What was given. */
    readonly url: string,
    detail: string,
  ) {
    super(
      'INVALID_SERVICE_URL',
      `${JSON.stringify(url)} is no address of a service: ${detail}. Give one such as "service://inventory/items?limit=10".`,
    );
  }
}
