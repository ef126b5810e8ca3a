import { credentials, type Client, type Channel, type ChannelOptions } from '@grpc/grpc-js';
// etcd3 does not export the services that it loads from its proto. Loading the proto
// a second time would cost every start-up some 50 ms, so they are taken from its Host.
import { Host } from 'etcd3/lib/connection-pool.js';
import { noop } from 'cockatiel';
import type { Services } from 'etcd3';

export type ServiceName = keyof typeof Services;

type ServiceConstructor = new (
  target: string,
  creds: ReturnType<typeof credentials.createInsecure>,
  options: ChannelOptions & { channelOverride: Channel },
) => Client;

const constructors = new Map<ServiceName, ServiceConstructor>();

/** A client for one of etcd's services that makes its calls over `channel`. */
export function serviceClient(name: ServiceName, target: string, channel: Channel): Client {
  let Constructor = constructors.get(name);
  if (!Constructor) {
    const host = new Host('127.0.0.1:1', credentials.createInsecure(), {}, noop);
    Constructor = host.getServiceClient(name).constructor as ServiceConstructor;
    host.close();
    constructors.set(name, Constructor);
  }
  return new Constructor(target, credentials.createInsecure(), { channelOverride: channel });
}
