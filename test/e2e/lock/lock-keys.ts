import { keysUnder } from '../../support/etcd-admin.js';
import { NAMESPACE } from '../election/instance.js';

/** The prefix of the keys of those who hold a lock or wait for it. */
export function queuePrefix(lock: string): string {
  return `${NAMESPACE}/lock/${lock}/queue/`;
}

/** The instances' ids in the order of a lock's queue, as etcd has it. */
export async function queueOf(endpoint: string, lock: string): Promise<string[]> {
  const keys = await keysUnder(endpoint, queuePrefix(lock));
  return keys.map(({ value }) => (JSON.parse(value) as { id: string }).id);
}

/** Every key of a lock, whatever it is for, below the lock's own prefix. */
export async function keysOf(endpoint: string, lock: string): Promise<string[]> {
  const prefix = `${NAMESPACE}/lock/${lock}/`;
  return (await keysUnder(endpoint, prefix)).map(({ key }) => key.slice(prefix.length));
}
