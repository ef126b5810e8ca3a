import type { Answer, EtcdApi } from './etcd-api.js';
import { normalise } from './normalise.js';

/** The bytes of a text, one a character. */
export const b = (text: string): Buffer => Buffer.from(text, 'latin1');

/** An end that is sent but empty is another thing than none, so none is left out. */
export const ends = (end: string): object => (end === '' ? {} : { range_end: b(end) });

export const put = (api: EtcdApi, key: string, value: string, more = {}): Promise<Answer> =>
  api.call('KV', 'Put', { key: b(key), value: b(value), ...more });

export const range = (api: EtcdApi, key: string, end = '', more = {}): Promise<Answer> =>
  api.call('KV', 'Range', { key: b(key), ...ends(end), ...more });

export const remove = (api: EtcdApi, key: string, end = '', more = {}): Promise<Answer> =>
  api.call('KV', 'DeleteRange', { key: b(key), ...ends(end), ...more });

export const compact = (api: EtcdApi, revision: number): Promise<Answer> =>
  api.call('KV', 'Compact', { revision, physical: true });

export const txn = (api: EtcdApi, request: object): Promise<Answer> =>
  api.call('KV', 'Txn', { ...request });

/** Operations of a transaction. */
export const op = {
  put: (key: string, value = '', more = {}) => ({
    request_put: { key: b(key), value: b(value), ...more },
  }),
  range: (key: string, end = '', more = {}) => ({
    request_range: { key: b(key), ...ends(end), ...more },
  }),
  remove: (key: string, end = '', more = {}) => ({
    request_delete_range: { key: b(key), ...ends(end), ...more },
  }),
  txn: (success: object[], failure: object[] = [], compare: object[] = []) => ({
    request_txn: { compare, success, failure },
  }),
};

/** Requests one after the other; their answers in a form to compare. */
export async function answers(...requests: (() => Promise<unknown>)[]): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const request of requests) all.push(normalise(await request()));
  return all;
}
