import './quiet.js';
import {
  DEFAULT_RETRY,
  DEFAULT_TIMEOUTS,
  type ClientOptions,
} from '../../../libs/etcd-coordination/src/client/client-options.js';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';

/** A client of the library with its default settings, but with no calls of its own for the member list. */
export function connect(
  endpoints: string | readonly string[],
  options: Partial<ClientOptions> = {},
): Promise<EtcdClient> {
  return EtcdClient.connect({
    connection: 'test',
    endpoints: typeof endpoints === 'string' ? [endpoints] : endpoints,
    timeouts: DEFAULT_TIMEOUTS,
    retry: DEFAULT_RETRY,
    endpointSyncInterval: 0,
    ...options,
  });
}
