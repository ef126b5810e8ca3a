import type { EtcdCoordinationError } from '../client/coordination.error.js';
import { refusalPayload } from './fence.errors.js';

/**
 * The error as one that the sender of a message gets to read. `@nestjs/microservices` is optional, and
 * only loaded for an application that has done so itself: it handles a message.
 */
export async function messageRefusal(error: EtcdCoordinationError): Promise<Error> {
  const { RpcException } = await import('@nestjs/microservices');
  return Object.assign(new RpcException(refusalPayload(error)), { cause: error });
}
