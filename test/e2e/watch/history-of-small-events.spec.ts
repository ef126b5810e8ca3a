import { describe, expect, it } from 'vitest';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { WatchLog } from './watch-log.js';

const TRANSACTIONS = 1000;
const EACH = 100;
// The newest: each takes half a minute, and all of them part answers in the same way.
const lines = (await availableEtcdLines()).slice(-1);

describe.each(lines)('a watch of etcd %s', (line) => {
  it('is told 100,000 small events, which the server would never be done parting', async () => {
    const server = await EtcdServer.start({ line });
    const client = await connect(server.endpoint);
    const hub = new WatchHub(client);
    try {
      const from = await writeSmallEvents(server.endpoint);
      const log = new WatchLog();
      hub.watch(prefixRange('small/'), from, log);
      await waitFor(() => log.count >= TRANSACTIONS * EACH, {
        what: () => `all events, of which there are ${log.count}`,
        timeoutMs: 100_000,
        intervalMs: 100,
      });
      expect(log.count).toBe(TRANSACTIONS * EACH);
      expect(log.torn).toEqual([]);
    } finally {
      await hub.close();
      await client.close();
      await server.kill();
    }
  }, 150_000);
});

/** Gives the first revision of them. */
async function writeSmallEvents(endpoint: string): Promise<bigint> {
  using etcd = rawEtcd(endpoint);
  const { kv } = etcd.client;
  const value = Buffer.from('1');
  const revisions: bigint[] = [];
  const write = async (number: number) => {
    const success = Array.from({ length: EACH }, (_, index) => ({
      request_put: { key: Buffer.from(`small/${number * EACH + index}`), value },
    }));
    const { header } = await kv.txn({ compare: [], success, failure: [] });
    revisions.push(BigInt(header.revision));
  };
  for (let start = 0; start < TRANSACTIONS; start += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, index) => write(start + index)));
  }
  return revisions.reduce((least, revision) => (revision < least ? revision : least));
}
