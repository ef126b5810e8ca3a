import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { WriteOutcomeUnknownError } from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import {
  LOCAL_GRANT,
  type Fence,
  type LocalGrant,
} from '../../../libs/etcd-coordination/src/context/fence.js';
import { StaleFenceError } from '../../../libs/etcd-coordination/src/context/stale-fence.error.js';
import { runInTerm } from '../../../libs/etcd-coordination/src/election/run-in-term.js';
import { EtcdTransactions } from '../../../libs/etcd-coordination/src/transaction/etcd-transactions.js';
import type { FencedTransactions } from '../../../libs/etcd-coordination/src/transaction/fenced-transactions.js';
import { deleteKey, putKey } from '../../support/etcd-admin.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { Instance, NAMESPACE } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';

let names = 0;
const fresh = (kind: string) => `${kind}/${(names += 1)}`;

describe.each(await serversUnderTest())('fenced transactions, $name', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.stop();
  });

  async function startInstance(id: string, endpoint = server.endpoint) {
    const instance = await Instance.start(id, endpoint);
    onTestFinished(() => instance.close());
    const { client, session } = instance;
    return {
      instance,
      transactions: new EtcdTransactions({ client, namespace: NAMESPACE, session }),
    };
  }

  const valueOf = async (transactions: EtcdTransactions, key: string) =>
    transactions.stm(async (t) => (await t.get(key))?.text() ?? null);

  /** Each way to write, to a key that holds "old" or nothing. */
  const WAYS: ((fenced: FencedTransactions, key: string) => Promise<unknown>)[] = [
    (fenced, key) => fenced.put(key, 'new'),
    (fenced, key) => fenced.delete(key),
    (fenced, key) => fenced.compareAndSet(key, 'old', 'new'),
    (fenced, key) => fenced.update(key, () => 'new'),
    (fenced, key) => fenced.stm((t) => t.put(key, 'new')),
    (fenced, key) => fenced.stm((t) => t.get(key)),
    (fenced, key) => fenced.batch().expect(key, 'old').put(key, 'new').commit(),
  ];

  it('commit while the term stands, and none does afterwards, however', async () => {
    const { instance, transactions } = await startInstance('a');
    const election = fresh('election');
    const term = await instance.elections.campaign(election);
    const fenced = transactions.fenced(term.fence);
    for (const write of WAYS) {
      const key = fresh('app');
      await transactions.compareAndSet(key, null, 'old');
      await write(fenced, key);
    }
    const key = fresh('app');
    expect(await fenced.put(key, 'old')).toBeGreaterThan(0n);
    await term.resign();
    const next = await instance.elections.campaign(election);
    for (const write of WAYS) {
      const stale = await write(fenced, key).catch((error: unknown) => error);
      expect(stale).toBeInstanceOf(StaleFenceError);
      expect(stale).toMatchObject({ resource: `election/${election}`, token: term.epoch });
      expect(await valueOf(transactions, key)).toBe('old');
    }
    await transactions.fenced(next.fence).put(key, 'of the next');
    expect(await valueOf(transactions, key)).toBe('of the next');
  });

  it('refuses the write of a holder that does not know yet that it has lost', async () => {
    const { instance, transactions } = await startInstance('a');
    const term = await instance.elections.campaign(fresh('election'));
    const key = fresh('app');
    const write = transactions.fenced(term.fence).stm(async (t) => {
      t.put(key, `after ${(await t.get(key))?.text()}`);
      await deleteKey(server.endpoint, term.fence.key);
      // Under another revision the same key is another grant.
      await putKey(server.endpoint, term.fence.key, '{}');
    });
    await expect(write).rejects.toBeInstanceOf(StaleFenceError);
    expect(await valueOf(transactions, key)).toBeNull();
  });

  it('tells a conflict of data from a fence that fell', async () => {
    const { instance, transactions } = await startInstance('a');
    const term = await instance.elections.campaign(fresh('election'));
    const fenced = transactions.fenced(term.fence);
    const key = fresh('app');
    await fenced.put(key, 'here');
    const conflict = await fenced.compareAndSet(key, 'there', 'x');
    expect(conflict).toMatchObject({ succeeded: false });
    expect((conflict as { current: { text(): string } }).current.text()).toBe('here');
    let runs = 0;
    await fenced.stm(async (t) => {
      const now = (await t.get(key))!.text();
      if ((runs += 1) === 1) await putKey(server.endpoint, `${NAMESPACE}/${key}`, 'meanwhile');
      t.put(key, `${now}!`);
    });
    expect(runs).toBe(2);
    expect(await valueOf(transactions, key)).toBe('meanwhile!');
  });

  it('takes several fences, and needs all of them', async () => {
    const { instance, transactions } = await startInstance('a');
    const one = await instance.elections.campaign(fresh('election'));
    const two = await instance.elections.campaign(fresh('election'));
    const fenced = transactions.fenced([one.fence, two.fence]);
    const key = fresh('app');
    await fenced.put(key, 'both');
    await two.resign();
    await expect(fenced.put(key, 'one')).rejects.toMatchObject({ resource: two.fence.resource });
    expect(await valueOf(transactions, key)).toBe('both');
  });

  it('counts its fences towards the 128', async () => {
    const { instance, transactions } = await startInstance('a');
    const term = await instance.elections.campaign(fresh('election'));
    const prefix = fresh('app');
    const batch = transactions.fenced(term.fence).batch();
    for (let n = 0; n < 128; n++) batch.expect(`${prefix}/${n}`, null);
    await expect(batch.put(prefix, 'x').commit()).rejects.toMatchObject({ compared: 129 });
  });

  it('takes the fence of the running term if it is given none', async () => {
    const { instance, transactions } = await startInstance('a');
    const term = await instance.elections.campaign(fresh('election'));
    const key = fresh('app');
    await runInTerm(term, async () => {
      await Promise.resolve();
      await transactions.fenced().put(key, 'in term');
      await term.resign();
      await expect(transactions.fenced().put(key, 'late')).rejects.toThrow(StaleFenceError);
    });
    expect(await valueOf(transactions, key)).toBe('in term');
    expect(() => transactions.fenced()).toThrow(/no term and no lock/);
  });

  it('settles a lost answer even if the fence fell right after', async () => {
    const { instance, transactions } = await startInstance('a', proxy.url);
    const term = await instance.elections.campaign(fresh('election'));
    const key = fresh('app');
    const fault = proxy.loseAnswer('KV/Txn', { how: 'silence' });
    const fell = fault.happened.then(() => deleteKey(server.endpoint, term.fence.key));
    // It was written while the fence stood.
    await transactions.fenced(term.fence).put(key, 'in time');
    await fell;
    expect(await valueOf(transactions, key)).toBe('in time');
    await expect(transactions.fenced(term.fence).put(key, 'late')).rejects.toThrow(StaleFenceError);
  });

  describe('under a grant of this process', () => {
    /** A grant as a lock makes it: local, behind a key that others of this process share. */
    async function grant(transactions: EtcdTransactions) {
      const key = fresh('grant');
      const { revision } = await transactions.batch().put(key, '').commit();
      const keyRead = vi.fn<() => void>();
      const state = { valid: true, guarded: 0, rejected: 0 };
      const local = Object.assign(state, {
        key: `${NAMESPACE}/${key}`,
        isValid: () => state.valid,
        async guard<T>(write: () => Promise<T>): Promise<T> {
          state.guarded += 1;
          try {
            return await write();
          } catch (error) {
            state.rejected += 1;
            throw error;
          }
        },
      } satisfies LocalGrant);
      const fence = {
        resource: 'lock/x',
        revision,
        token: (revision << 20n) + 1n,
        get key(): string {
          keyRead();
          return local.key;
        },
        [LOCAL_GRANT]: local,
      } satisfies Fence & Record<symbol, unknown>;
      return { fence, local, keyRead, handKeyOn: () => deleteKey(server.endpoint, local.key) };
    }

    it('commits within the guard, and never reads the key of the fence', async () => {
      const { transactions } = await startInstance('a');
      const { fence, local, keyRead, handKeyOn } = await grant(transactions);
      const key = fresh('app');
      const fenced = transactions.fenced(fence);
      await fenced.put(key, 'x');
      expect(local.guarded).toBe(1);
      await fenced.stm(async (t) => {
        await t.get(key);
        // Only what is sent is guarded, not what leads to it.
        expect(local.guarded).toBe(1);
        t.put(key, 'y');
      });
      expect(local.guarded).toBe(2);
      await handKeyOn();
      await expect(fenced.put(key, 'late')).rejects.toMatchObject({
        code: 'STALE_FENCE',
        token: fence.token,
      });
      // It is certain that nothing was written, so the grant may be passed on.
      expect(local.rejected).toBe(0);
      expect(keyRead).not.toHaveBeenCalled();
    });

    it('refuses at once what is over here, and sends nothing', async () => {
      const { instance, transactions } = await startInstance('a');
      const { fence, local } = await grant(transactions);
      const key = fresh('app');
      const fenced = transactions.fenced(fence);
      local.valid = false;
      const before = instance.client.requestsSent;
      for (const write of WAYS) {
        await expect(write(fenced, key)).rejects.toBeInstanceOf(StaleFenceError);
      }
      expect(instance.client.requestsSent).toBe(before);
      local.valid = true;
      const during = fenced.stm((t) => {
        t.put(key, 'x');
        local.valid = false;
      });
      await expect(during).rejects.toBeInstanceOf(StaleFenceError);
      expect(await valueOf(transactions, key)).toBeNull();
      expect(local.guarded).toBe(0);
    });

    it('rejects to the guard only what may yet be applied', async () => {
      const { transactions } = await startInstance('a', proxy.url);
      const { fence, local } = await grant(transactions);
      const fenced = transactions.fenced(fence);
      const key = fresh('app');
      await expect(fenced.put(key, Buffer.alloc(1.6 * 1024 * 1024))).rejects.toMatchObject({
        code: 'REQUEST_TOO_LARGE',
      });
      expect([local.guarded, local.rejected]).toEqual([1, 0]);
      proxy.loseAnswer('KV/Txn');
      await fenced.put(key, 'settled');
      expect([local.guarded, local.rejected]).toEqual([2, 0]);
      proxy.loseAnswer('KV/Txn', { times: 1000 });
      await expect(fenced.put(key, 'x')).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
      expect([local.guarded, local.rejected]).toEqual([3, 1]);
      proxy.clearFaults();
    });
  });
});
