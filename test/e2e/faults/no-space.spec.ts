import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EtcdNoSpaceError } from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { revokeLease } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { ClusterAdmin } from '../../chaos/nemesis/cluster-admin.js';
import { startStore } from '../config/stores.js';
import { Instance, TermLog } from '../election/instance.js';
import { queueOf } from '../lock/lock-keys.js';
import { Standing } from './standing.js';

const lines = await availableEtcdLines();
const QUOTA_BYTES = 8 * 1024 * 1024;

/** Etcd without space takes no put, no lease and no transaction with a put; renewals, reads and deletes go on. */
describe.each(lines)('etcd %s without space', (line) => {
  let cluster: EtcdCluster;
  let admin: ClusterAdmin;
  let endpoint: string;

  beforeEach(async () => {
    const extraArgs = ['--quota-backend-bytes', `${QUOTA_BYTES}`];
    cluster = await EtcdCluster.start({ line, size: 1, extraArgs });
    admin = new ClusterAdmin(cluster, null);
    endpoint = cluster.members[0]!.server.endpoint;
  });
  afterEach(() => cluster.stop());

  const cure = () => admin.cureQuota(() => admin.compact(null));
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.unreachable('it went through'),
      (error: unknown) => error,
    );

  it('takes nothing from those who hold, and lets new claims wait, or refuses them by name, until it is cured', async () => {
    const standing = await Standing.start('a', endpoint, { ttlSeconds: 15 });
    const b = await Instance.start('b', endpoint, { ttlSeconds: 15 });
    const terms = new TermLog(b, 'e');
    await b.elections.join('e');
    const next = b.locks.acquire('l');
    await waitFor(async () => (await queueOf(endpoint, 'l')).length === 2, { what: 'b to wait' });
    const { store, rejections } = await startStore(endpoint);
    await store.set('limits', { most: 1 });
    const limits = await store.watch('limits');

    await admin.fillQuota();
    standing.expectHeld();
    const waiting = b.locks.acquire('waited-for');
    expect(await failure(b.locks.tryAcquire('another'))).toBeInstanceOf(EtcdNoSpaceError);
    for (const queue of ['local', 'etcd'] as const) {
      const gaveUp = failure(b.locks.acquire('in vain', { waitMs: 200, queue }));
      expect(await gaveUp).toBeInstanceOf(EtcdNoSpaceError);
    }
    expect(await failure(store.set('limits', { most: 2 }))).toBeInstanceOf(EtcdNoSpaceError);
    expect(limits.value).toEqual({ most: 1 });
    expect(rejections).toEqual([]);
    // Those who stand in line already need nothing but a deletion.
    await standing.lock.release();
    const passed = await next;
    expect(passed.token > standing.lock.token).toBe(true);
    await standing.term.resign();
    const term = await waitFor(() => terms.standing, { what: 'b to lead' });
    expect(term.epoch > standing.term.epoch).toBe(true);
    await passed.release();

    await cure();
    await (await waiting).release();
    await standing.write(async () => endpoint, 3);
    await standing.expectAllTold();
    await store.set('limits', { most: 3 });
    await waitFor(() => (limits.value as { most: number }).most === 3, {
      what: 'the configuration',
    });
    const another = await standing.instance.locks.acquire('another');
    await another.release();
    expect(standing.states).not.toContain('lost');
    await standing.close();
    await b.close();
  });

  it('keeps a session that has lost its lease waiting for another, and gives it one when cured', async () => {
    const standing = await Standing.start('a', endpoint, { ttlSeconds: 15 });
    await admin.fillQuota();
    await revokeLease(endpoint, standing.lease.id);
    await waitFor(() => standing.lease.signal.aborted, { what: 'the loss' });
    expect(standing.term.isValid()).toBe(false);
    expect(standing.lock.isValid()).toBe(false);
    const { instance } = standing;
    const ready = instance.session.ready();
    expect(await admin.isAlarmed()).toBe(true);
    expect(instance.session.lease).toBeNull();
    await cure();
    expect((await ready).id).not.toBe(standing.lease.id);
    const term = await waitFor(() => instance.elections.term('e'), { what: 'another term' });
    expect(term.epoch > standing.term.epoch).toBe(true);
    const lock = await instance.locks.acquire('l');
    expect(lock.token > standing.lock.token).toBe(true);
    await lock.release();
    await standing.close();
  });
});
