import { onTestFinished } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { EtcdTransactions } from '../../../libs/etcd-coordination/src/transaction/etcd-transactions.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { connect } from '../client/connecting.js';
import type { TestOptions } from '../client/options.js';

export const NAMESPACE = 'transacting';

/** What one process has of a connection, ended with the test. */
export interface TestTransactions {
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly transactions: EtcdTransactions;
}

export async function startTransactions(
  endpoints: string | readonly string[],
  options: TestOptions & { readonly ttlSeconds?: number } = {},
): Promise<TestTransactions> {
  const { ttlSeconds = 10, ...connection } = options;
  const client = await connect(endpoints, connection);
  const session = new EtcdSession(client, { ttlSeconds });
  onTestFinished(() => session.close());
  await session.start();
  const transactions = new EtcdTransactions({ client, namespace: NAMESPACE, session });
  return { client, session, transactions };
}

let names = 0;
/** A prefix that no other test of the file has, with its `/`. */
export function freshPrefix(): string {
  return `app/${(names += 1)}/`;
}

/** What stands under a prefix of the namespace, by relative key. */
export async function standing(endpoint: string, prefix: string): Promise<Record<string, string>> {
  const keys = await keysUnder(endpoint, `${NAMESPACE}/${prefix}`);
  return Object.fromEntries(keys.map(({ key, value }) => [key.slice(NAMESPACE.length + 1), value]));
}

/** Adds one to a counter of decimal digits. */
export async function increment(transactions: EtcdTransactions, key: string): Promise<number> {
  let calls = 0;
  await transactions.stm(async (transaction) => {
    calls += 1;
    const current = await transaction.get(key);
    transaction.put(key, `${Number(current?.text() ?? '0') + 1}`);
  });
  return calls;
}
