import type { IRangeRequest, IRangeResponse } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';

/**
 * Reads in one call, all of them as of one revision: that of a transaction which only reads. Such a
 * one is linearizable as a single read is, in every version from 3.4 on.
 *
 * @param requests at most as many as a transaction has operations
 */
export async function readTogether(
  client: EtcdClient,
  requests: readonly IRangeRequest[],
): Promise<{ answers: readonly Omit<IRangeResponse, 'header'>[]; revision: string }> {
  if (requests.length === 1) {
    const answer = await client.range(requests[0]!);
    return { answers: [answer], revision: answer.header.revision };
  }
  const { header, responses } = await client.txn({
    compare: [],
    success: requests.map((request_range) => ({ request_range })),
    failure: [],
  });
  return { answers: responses.map((r) => r.response_range), revision: header.revision };
}
