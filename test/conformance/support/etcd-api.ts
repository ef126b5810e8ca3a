import { createRequire } from 'node:module';
import { type ClientDuplexStream, type ServiceError, credentials } from '@grpc/grpc-js';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

type Message = Record<string, unknown>;
type ServiceName = 'KV' | 'Watch' | 'Lease' | 'Cluster' | 'Maintenance' | 'Auth';

interface ServiceClient {
  [method: string]: (...args: unknown[]) => unknown;
  close(): void;
}

/** What a server said to one request. */
export type Answer =
  | { readonly response: Message }
  | { readonly error: { readonly code: number; readonly details: string } };

const services = loadPackageDefinition(
  loadSync(createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto'), {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  }),
)['etcdserverpb'] as unknown as Record<
  ServiceName,
  new (address: string, credentials: unknown, options: object) => ServiceClient
>;

/** etcd's API with nothing between: requests and answers as they are on the wire. */
export class EtcdApi {
  private readonly clients = new Map<ServiceName, ServiceClient>();

  constructor(private readonly endpoint: string) {}

  /** One call with one answer; an error is an answer too. */
  call(service: ServiceName, method: string, request: Message = {}): Promise<Answer> {
    const client = this.client(service);
    return new Promise((resolve) => {
      client[method]!(request, (error: ServiceError | null, response: Message) => {
        if (error) resolve({ error: { code: error.code, details: error.details } });
        else resolve({ response });
      });
    });
  }

  /** The response of a call that is expected to succeed. */
  async response(
    service: ServiceName,
    method: string,
    request: Message = {},
  ): Promise<Record<string, any>> {
    const answer = await this.call(service, method, request);
    if ('response' in answer) return answer.response;
    throw new Error(`${method} at ${this.endpoint}: ${answer.error.details}`);
  }

  stream(service: ServiceName, method: string): ClientDuplexStream<Message, Record<string, any>> {
    return this.client(service)[method]!() as never;
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
  }

  private client(service: ServiceName): ServiceClient {
    let client = this.clients.get(service);
    if (!client) {
      client = new services[service](
        this.endpoint.replace('http://', ''),
        credentials.createInsecure(),
        { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 },
      );
      this.clients.set(service, client);
    }
    return client;
  }
}
