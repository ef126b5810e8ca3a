import {
  credentials,
  makeClientConstructor,
  type Client,
  type Channel,
  type ChannelOptions,
  type MethodDefinition,
  type ServiceDefinition,
} from '@grpc/grpc-js';
// etcd3 does not export the services that it loads from its proto. Loading the proto
// a second time would cost every start-up some 50 ms, so they are taken from its Host.
import { Host } from 'etcd3/lib/connection-pool.js';
import { noop } from 'cockatiel';
import type { IRangeRequest, IRangeResponse, ITxnRequest, ITxnResponse, Services } from 'etcd3';
import { decodeRangeResponse } from './range-response.js';
import { encodeTxnRequest } from './txn-request.js';
import { decodeTxnResponse } from './txn-response.js';
import type { UnaryMethod } from './unary-call.js';

export type ServiceName = keyof typeof Services;

type ServiceConstructor = (new (
  target: string,
  creds: ReturnType<typeof credentials.createInsecure>,
  options: ChannelOptions & { channelOverride: Channel },
) => Client) & { readonly service: ServiceDefinition };

const constructors = new Map<ServiceName, ServiceConstructor>();
const unaryMethods = new Map<ServiceName, Map<string, UnaryMethod<unknown, unknown>>>();

/** A client for one of etcd's services that makes its calls over `channel`. */
export function serviceClient(name: ServiceName, target: string, channel: Channel): Client {
  const Constructor = serviceConstructor(name);
  return new Constructor(target, credentials.createInsecure(), { channelOverride: channel });
}

/** A method, as it is named in etcd3: with a small letter. */
export function unaryMethod(service: ServiceName, method: string): UnaryMethod<unknown, unknown> {
  let methods = unaryMethods.get(service);
  if (!methods) {
    const definitions = Object.entries(serviceConstructor(service).service);
    methods = new Map(
      definitions.map(([name, definition]) => [
        name.charAt(0).toLowerCase() + name.slice(1),
        definition,
      ]),
    );
    unaryMethods.set(service, methods);
  }
  const found = methods.get(method);
  if (!found) throw new TypeError(`The service ${service} has no method ${method}.`);
  return found;
}

function serviceConstructor(name: ServiceName): ServiceConstructor {
  let Constructor = constructors.get(name);
  if (!Constructor) {
    const host = new Host('127.0.0.1:1', credentials.createInsecure(), {}, noop);
    Constructor = host.getServiceClient(name).constructor as ServiceConstructor;
    host.close();
    if (name === 'KV') Constructor = withFastCodecs(Constructor);
    constructors.set(name, Constructor);
  }
  return Constructor;
}

/** Of its own: etcd3's class is that of every other client in this process, too. */
function withFastCodecs({ service }: ServiceConstructor): ServiceConstructor {
  const range = service['Range'] as MethodDefinition<IRangeRequest, IRangeResponse>;
  const txn = service['Txn'] as MethodDefinition<ITxnRequest, ITxnResponse>;
  const methods = {
    ...service,
    Range: {
      ...range,
      responseDeserialize: (bytes: Buffer) => decodeRangeResponse(bytes, range.responseDeserialize),
    },
    Txn: {
      ...txn,
      requestSerialize: (request: ITxnRequest) => encodeTxnRequest(request, txn.requestSerialize),
      responseDeserialize: (bytes: Buffer) => decodeTxnResponse(bytes, txn.responseDeserialize),
    },
  };
  return makeClientConstructor(methods, 'KV');
}
