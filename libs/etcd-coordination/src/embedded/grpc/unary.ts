import { type handleUnaryCall, status } from '@grpc/grpc-js';
import { EtcdStatus } from '../etcd-status.js';

/** Answers one request, or throws an {@link EtcdStatus}. */
export type UnaryHandler<Request, Response> = (
  request: Request,
  call: { getHost(): string },
) => Response;

/** The one way by which a call with one answer comes in and goes out. */
export function unary<Request, Response>(
  handler: UnaryHandler<Request, Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    try {
      callback(null, handler(call.request, call));
    } catch (error) {
      callback(toServiceError(error));
    }
  };
}

/** What goes out for an error; one that is not etcd's is a fault of ours, and says so. */
export function toServiceError(error: unknown): { code: status; details: string } {
  if (error instanceof EtcdStatus) return { code: error.code, details: error.details };
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: status.INTERNAL, details: `The embedded etcd has a bug: ${reason}` };
}
