import { describe, expect, it } from 'vitest';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance, TermLog } from './instance.js';

const lines = await availableEtcdLines();

/** A member that was just restarted may lose what it is asked for: a silent watch is found out after 12 s. */
const HAND_OVER_MS = 30_000;

describe.each(lines)('an election on three members of etcd %s', (line) => {
  it("keeps its leader while etcd's own leader is killed, and hands over afterwards", async () => {
    const cluster = await EtcdCluster.start({ line });
    const [a, b] = (await Promise.all(
      ['a', 'b'].map((id) => Instance.start(id, cluster.endpoints, { ttlSeconds: 5 })),
    )) as [Instance, Instance];
    try {
      const logs = [new TermLog(a, 'e'), new TermLog(b, 'e')] as const;
      await a.elections.join('e');
      await b.elections.join('e');
      const first = await waitFor(() => logs[0].standing, { what: 'a to lead' });
      for (let round = 0; round < 2; round += 1) {
        const killed = await cluster.leader();
        await killed.kill();
        await cluster.leader();
        await killed.restart();
      }
      expect(first.isValid()).toBe(true);
      await first.resign();
      const second = await waitFor(() => logs[1].standing, {
        what: 'b to lead',
        timeoutMs: HAND_OVER_MS,
      });
      await second.resign();
      const third = await waitFor(() => logs[0].standing, {
        what: 'a to lead again',
        timeoutMs: HAND_OVER_MS,
      });
      expect(logs.map((log) => log.epochs)).toEqual([[first.epoch, third.epoch], [second.epoch]]);
      expect(first.epoch < second.epoch && second.epoch < third.epoch).toBe(true);
    } finally {
      await Promise.all([a.close(), b.close()]);
      await cluster.stop();
    }
  }, 120_000);
});
