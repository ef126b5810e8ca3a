import { EtcdCoordinationError } from '../../../../libs/etcd-coordination/src/client/coordination.error.js';

/** The code of an error of the library; null for any other, such as ECONNRESET, which nobody should see. */
export function oursCode(error: unknown): string | null {
  return error instanceof EtcdCoordinationError ? error.code : null;
}
