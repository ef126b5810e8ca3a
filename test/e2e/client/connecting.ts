import { onTestFinished } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { clientOptions, type TestOptions } from './options.js';

/** A client that is closed when the test ends. */
export async function connect(
  endpoints: string | readonly string[],
  options?: TestOptions,
): Promise<EtcdClient> {
  const client = await EtcdClient.connect(clientOptions(endpoints, options));
  onTestFinished(() => client.close());
  return client;
}
