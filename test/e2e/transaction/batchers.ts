import { onTestFinished } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import type { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { WriteBatcher } from '../../../libs/etcd-coordination/src/transaction/write-batcher.js';
import type { WriteBatcherOptions } from '../../../libs/etcd-coordination/src/transaction/write-batcher-options.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import type { TestOptions } from '../client/options.js';
import { NAMESPACE, startTransactions } from './transactions.js';

/** What one process has of a connection, ended with the test. */
export interface TestBatcher {
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly batcher: WriteBatcher;
}

export async function startBatcher(
  endpoints: string | readonly string[],
  options: WriteBatcherOptions = {},
  connection: TestOptions = {},
): Promise<TestBatcher> {
  const { client, session } = await startTransactions(endpoints, connection);
  const batcher = new WriteBatcher({ client, namespace: NAMESPACE, session }, options);
  onTestFinished(() => batcher.close(0));
  return { client, session, batcher };
}

/** The version of a key of the namespace, its puts since it was made; 0 if it is not there. */
export async function versionOf(endpoint: string, key: string): Promise<number> {
  using etcd = rawEtcd(endpoint);
  const { kvs } = await etcd.client.kv.range({ key: Buffer.from(`${NAMESPACE}/${key}`) });
  return Number(kvs[0]?.version ?? 0);
}

/** The value of a key of the namespace as of a revision; null if it was not there. */
export async function valueAt(
  endpoint: string,
  key: string,
  revision: bigint,
): Promise<string | null> {
  using etcd = rawEtcd(endpoint);
  const whole = Buffer.from(`${NAMESPACE}/${key}`);
  const { kvs } = await etcd.client.kv.range({ key: whole, revision: revision.toString() });
  return kvs[0]?.value.toString() ?? null;
}

/** What each promise came to: its result, or its error. */
export async function outcomes<T>(promises: readonly Promise<T>[]): Promise<(T | Error)[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error)));
}
