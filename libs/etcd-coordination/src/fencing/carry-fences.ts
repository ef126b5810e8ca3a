import type { ClientProxy, ReadPacket } from '@nestjs/microservices';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import { fenceHeaders } from './fence-headers.js';

type DispatchHook = (packet: ReadPacket) => void;

/** Of the hooks that carry fences: so that a client gets only one. */
const CARRIES = Symbol('nestjs-etcd-coordination:carries fences');

/** What these send is made of the message's value alone: their headers are given with each message. */
const WITHOUT_METADATA: Readonly<Record<string, string>> = {
  ClientKafka: 'give each message its headers: { value, headers: fenceHeaders() }',
  ClientNats:
    'give each message its headers: new NatsRecordBuilder(data).setHeaders(withFence(headers()))',
  ClientGrpcProxy:
    'give each call its metadata: service.method(request, withFence(new Metadata()))',
};

/** A client of messages can carry no fences by itself. Its calls would be refused where one is demanded. */
export class FenceCarrierError extends EtcdCoordinationError {
  constructor(client: string, cure: string) {
    super('FENCE_NOT_CARRIED', `A ${client} carries no fences by itself; ${cure}.`);
  }
}

/**
 * Has a client of messages (TCP, Redis, RabbitMQ, MQTT) send with each of them what the running call
 * chain owns, as `fenceHeaders()` does for HTTP. What it owns when the message is sent counts, which is
 * when the observable that `send()` gives is subscribed to.
 *
 * It is Nest's dispatch hook, and what was hooked there before is called as well. The fence lies in the
 * packet's metadata, beside its data.
 *
 * @returns the client
 * @throws {FenceCarrierError} if the client has no such hook (Nest before 12) or does not send what it
 *   sets (Kafka, NATS, gRPC), naming what to do instead
 *
 * @example
 * ```ts
 * constructor(@Inject('STOCK') client: ClientProxy) {
 *   this.stock = carryFences(client);
 * }
 * ```
 */
export function carryFences<C extends ClientProxy>(client: C): C {
  const name = client.constructor.name;
  for (let type: unknown = client.constructor; typeof type === 'function';) {
    const cure = WITHOUT_METADATA[type.name];
    if (cure !== undefined) throw new FenceCarrierError(name, cure);
    type = Reflect.getPrototypeOf(type);
  }
  if (typeof client.setOnDispatchHook !== 'function') {
    throw new FenceCarrierError(
      name,
      'it has no dispatch hook, which came with @nestjs/microservices 12.1',
    );
  }
  const before = (client as unknown as { onDispatchHook?: DispatchHook & { [CARRIES]?: true } })
    .onDispatchHook;
  if (before?.[CARRIES]) return client;
  const hook: DispatchHook = (packet) => {
    before?.(packet);
    const headers = fenceHeaders();
    if (Object.keys(headers).length > 0) packet.metadata = { ...packet.metadata, ...headers };
  };
  client.setOnDispatchHook(Object.assign(hook, { [CARRIES]: true }));
  return client;
}
