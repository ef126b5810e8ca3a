import {
  Metadata,
  status,
  type Channel,
  type MethodDefinition,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { statusName } from './etcd.errors.js';

/** A method of etcd with one answer, as it goes over the wire. */
export type UnaryMethod<Request, Response> = Pick<
  MethodDefinition<Request, Response>,
  'path' | 'requestSerialize' | 'responseDeserialize'
>;

/** Told once how a call has ended: with an error, or with an answer. */
export type UnaryDone<Response> = (
  error: ServiceError | null,
  response: Response | undefined,
  call: UnaryCall,
) => void;

type ChannelCall = ReturnType<Channel['createCall']>;

/**
 * A call with one answer, straight on its channel. A client of grpc-js puts three layers of listeners
 * between, and a stack trace that is taken for each call: a tenth of what a small call costs. And it
 * waits for the trailers that say that all went well, which a server sends after an answer only if it
 * does: here the answer itself is the word. Nor does this one hold its request, while grpc-js, or rather
 * Node's HTTP/2, keeps an ended call until old memory is cleared.
 */
export class UnaryCall {
  private call: ChannelCall | null = null;

  private constructor(
    private readonly method: UnaryMethod<never, unknown>,
    private done: UnaryDone<never> | null,
  ) {}

  /**
   * Sends a request.
   *
   * @param deadline by the machine's clock
   * @throws Error as grpc-js does: `INVALID_ARGUMENT` if the request cannot be written, none of gRPC's codes
   *   if the channel was closed
   */
  static start<Request, Response>(
    channel: Channel,
    method: UnaryMethod<Request, Response>,
    request: Request,
    metadata: Metadata,
    deadline: number,
    done: UnaryDone<Response>,
  ): UnaryCall {
    const bytes = written(method, request);
    const made = new UnaryCall(method, done);
    const call = channel.createCall(method.path, deadline, undefined, null, undefined);
    made.call = call;
    call.start(metadata, made);
    call.sendMessageWithContext({}, bytes);
    call.halfClose();
    call.startRead();
    return made;
  }

  cancel(): void {
    this.call?.cancelWithStatus(status.CANCELLED, 'Cancelled on client');
  }

  /** @internal */
  onReceiveMetadata(): void {
    // etcd says nothing there.
  }

  /** @internal */
  onReceiveMessage(answer: Buffer): void {
    let response: unknown;
    try {
      response = this.method.responseDeserialize(answer);
    } catch (error) {
      this.fail(status.INTERNAL, `Response message parsing error: ${messageOf(error)}`);
      return this.cancel();
    }
    this.tell(null, response);
  }

  /** @internal */
  onReceiveStatus({ code, details, metadata }: StatusObject): void {
    this.call = null;
    // It was answered.
    if (!this.done) return;
    if (code !== status.OK) this.fail(code, details, metadata);
    else this.fail(status.UNIMPLEMENTED, 'No message received', metadata);
  }

  private fail(code: status, details: string, metadata?: Metadata): void {
    this.tell(failure(code, details, metadata), undefined);
  }

  private tell(error: ServiceError | null, response: unknown): void {
    const { done } = this;
    this.done = null;
    done?.(error, response as never, this);
  }
}

function written<Request>(method: UnaryMethod<Request, unknown>, request: Request): Buffer {
  try {
    return method.requestSerialize(request);
  } catch (error) {
    const details = `Request message serialization failure: ${messageOf(error)}`;
    throw failure(status.INVALID_ARGUMENT, details);
  }
}

/** As grpc-js makes them. */
function failure(code: status, details: string, metadata = new Metadata()): ServiceError {
  const error = new Error(`${code} ${statusName(code)}: ${details}`);
  return Object.assign(error, { code, details, metadata });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
