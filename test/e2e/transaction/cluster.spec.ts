import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  EtcdTimeoutError,
  EtcdUnavailableError,
  WriteOutcomeUnknownError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { startTransactions } from './transactions.js';

const lines = await availableEtcdLines();

describe.each(lines)('transactions on three members of etcd %s', (line) => {
  it('count exactly while leaders are killed, or say that they do not know', async () => {
    const cluster = await EtcdCluster.start({ line });
    onTestFinished(() => cluster.stop());
    const processes = await Promise.all([1, 2].map(() => startTransactions(cluster.endpoints)));
    const key = 'app/counter';
    let [told, unknown] = [0, 0];
    const over = new AbortController();
    const worker = async (n: number) => {
      const { transactions } = processes[n % 2]!;
      while (!over.signal.aborted) {
        try {
          await transactions.update(key, (v) => `${Number(v?.text() ?? 0) + 1}`);
          told += 1;
        } catch (error) {
          if (error instanceof WriteOutcomeUnknownError) unknown += 1;
          // Nothing was written, says either of these.
          else if (!(error instanceof EtcdUnavailableError || error instanceof EtcdTimeoutError)) {
            throw error;
          }
          await pause(10);
        }
      }
    };
    const workers = [0, 1, 2, 3].map(worker);
    for (let round = 0; round < 3; round++) {
      const before = told;
      await waitFor(() => told > before + 20, { what: 'increments' });
      const killed = await cluster.leader();
      await killed.kill();
      await cluster.leader();
      await killed.restart();
    }
    over.abort();
    await Promise.all(workers);
    const counted = await processes[0]!.transactions.stm(async (t) => (await t.get(key))!.text());
    expect(Number(counted)).toBeGreaterThanOrEqual(told);
    expect(Number(counted)).toBeLessThanOrEqual(told + unknown);
    // Most of what a dying leader left open is settled.
    expect(unknown).toBeLessThan(told);
  }, 90_000);
});
