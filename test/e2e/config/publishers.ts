import { onTestFinished } from 'vitest';
import {
  ConfigPublisher,
  type PublisherSettings,
} from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import { ConfigDeclarations } from '../../../libs/etcd-coordination/src/config/config-declarations.js';
import type { ConfigOptions } from '../../../libs/etcd-coordination/src/config/config-options.js';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { connect } from '../client/connecting.js';
import type { TestOptions } from '../client/options.js';

export const NAMESPACE = 'publishing';

/** A publisher with a connection of its own, which ends with the test. */
export interface TestPublisher {
  readonly publisher: ConfigPublisher;
  readonly client: EtcdClient;
  /** As a store in this process would. */
  declare(key: string, options: ConfigOptions<any>): void;
}

export async function startPublisher(
  endpoint: string,
  settings: Partial<PublisherSettings> & { readonly connection?: TestOptions } = {},
): Promise<TestPublisher> {
  const { connection, ...rest } = settings;
  const client = await connect(endpoint, connection);
  const declarations = new ConfigDeclarations();
  const publisher = new ConfigPublisher({
    client,
    namespace: NAMESPACE,
    identity: { instanceId: 'orders-1', service: 'orders', zone: 'eu', labels: {} },
    declared: (key) => declarations.get(key),
    ...rest,
  });
  return { publisher, client, declare: (key, options) => void declarations.declare(key, options) };
}

let names = 0;
/** A configuration that no other test of the file has. */
export function freshName(): string {
  return `config-${(names += 1)}`;
}

/** Where the document of a shared layer lies. */
export function sharedKey(name: string): string {
  return `${NAMESPACE}/config/${name}/live/layer/shared`;
}

/** Lets a publisher's client run `before` before each transaction, with its request, until the test ends. */
export function beforeEachTxn(
  client: EtcdClient,
  before: (request: Parameters<EtcdClient['txn']>[0]) => void | Promise<void>,
): void {
  const txn = client.txn.bind(client);
  client.txn = async (request, settings) => {
    await before(request);
    return txn(request, settings);
  };
  onTestFinished(() => void (client.txn = txn));
}

/** Whether a transaction is the one that writes a new version, and not one that reads or archives. */
export function isWrite(request: Parameters<EtcdClient['txn']>[0]): boolean {
  return (request.failure ?? []).length > 0;
}
