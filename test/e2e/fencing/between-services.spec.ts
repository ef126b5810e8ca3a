import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { newestFenceKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import type { Fence } from '../../../libs/etcd-coordination/src/context/fence.js';
import { runOwning } from '../../../libs/etcd-coordination/src/context/ownership-context.js';
import { fenceHeaders } from '../../../libs/etcd-coordination/src/fencing/fence-headers.js';
import { enableAuth } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { fenceOf, NAMESPACE } from '../../support/fences.js';
import { Instance } from '../election/instance.js';
import { StockInstance } from './stock-instance.js';

const lines = await availableEtcdLines();

/** As a holder of that fence. */
function under<T>(fence: Fence, work: () => T): T {
  return runOwning('lock', fence, fence, work);
}

describe.each(lines)('a service that demands fences, on etcd %s', (line) => {
  let server: EtcdServer;

  beforeAll(async () => {
    server = await EtcdServer.start({ line });
  });
  afterAll(() => server.kill());

  it('refuses on each of its instances, and after a restart, what one of them knows to be old', async () => {
    const [one, two] = (await Promise.all(
      [0, 1].map(() => StockInstance.start(server.endpoint)),
    )) as [StockInstance, StockInstance];
    const [old, young] = [fenceOf('sku/1', 5), fenceOf('sku/1', 6)];

    expect(await under(old, () => one.reserve('a'))).toMatchObject({ status: 201 });
    // The holder is frozen, its lock goes on to another, and it wakes up.
    expect(await under(young, () => two.reserve('b'))).toMatchObject({ status: 201 });
    const stale = { status: 409, message: expect.stringContaining('has been seen since') };
    expect(await under(old, () => one.reserve('a, late'))).toEqual(stale);
    expect(await under(old, () => two.reserve('a, late'))).toEqual(stale);
    expect(one.reserved).toEqual(['1 by a under 5']);
    expect(two.reserved).toEqual(['1 by b under 6']);

    await Promise.all([one.stop(), two.stop()]);
    await server.restart();
    const restarted = await StockInstance.start(server.endpoint);
    expect(await under(old, () => restarted.reserve('a, late'))).toEqual(stale);
    expect(await under(young, () => restarted.reserve('b'))).toMatchObject({ status: 201 });
    expect(restarted.reserved).toEqual(['1 by b under 6']);
  });

  it('refuses what a holder of a real lock sends after the next one has been served', async () => {
    const stock = await StockInstance.start(server.endpoint);
    const [a, b] = (await Promise.all(
      ['a', 'b'].map((id) => Instance.start(id, server.endpoint, { ttlSeconds: 5 })),
    )) as [Instance, Instance];
    onTestFinished(async () => void (await Promise.all([a.close(1000), b.close(1000)])));

    const sent: Record<string, string>[] = [];
    const reserve = () => {
      sent.push(fenceHeaders());
      return stock.reserve(`${sent.length}`, { sku: '7' });
    };
    // Two of one process, one of another, and again.
    for (const { locks } of [a, a, b, a]) {
      expect(await locks.using('sku/7', reserve)).toMatchObject({ status: 201 });
    }
    // Both wait for the third.
    const third = await b.locks.acquire('sku/7');
    const both = [a.locks.using('sku/7', reserve), a.locks.using('sku/7', reserve)];
    await third.release();
    for (const answer of await Promise.all(both)) expect(answer).toMatchObject({ status: 201 });
    expect(() => fenceHeaders(third.fence)).toThrow(/no longer stands/);

    const last = sent.pop();
    for (const headers of sent) {
      expect(await stock.reserve('late', { sku: '7', headers })).toMatchObject({ status: 409 });
    }
    // Nobody has come after it.
    expect(await stock.reserve('last', { sku: '7', headers: last! })).toMatchObject({
      status: 201,
    });
  });

  it('runs nothing while etcd is away', async () => {
    const away = await EtcdServer.start({ line });
    const timeouts = { write: 500 };
    const stock = await StockInstance.start(away.endpoint, { timeouts });
    expect(await under(fenceOf('sku/1', 5), () => stock.reserve('a'))).toMatchObject({
      status: 201,
    });
    await away.kill();
    expect(await under(fenceOf('sku/1', 5), () => stock.reserve('a'))).toEqual({
      status: 503,
      message: expect.stringContaining('could not be asked of etcd'),
    });
    expect(stock.reserved).toHaveLength(1);
  });

  it('runs nothing for what its user may not see', async () => {
    const guarded = await EtcdServer.start({ line });
    onTestFinished(() => guarded.kill());
    const prefix = newestFenceKey(NAMESPACE, 'lock/sku/1').replace(/newest$/, '');
    await enableAuth(guarded.endpoint, 'secret', [{ name: 'stock', password: 'pass', prefix }]);
    const auth = { username: 'stock', password: 'pass' };
    const stock = await StockInstance.start(guarded.endpoint, { auth });
    expect(await under(fenceOf('sku/1', 5), () => stock.reserve('a'))).toMatchObject({
      status: 201,
    });
    expect(await under(fenceOf('sku/2', 5), () => stock.reserve('a', { sku: '2' }))).toEqual({
      status: 503,
      message: expect.stringMatching(/user "stock" has no permission/),
    });
    expect(stock.reserved).toHaveLength(1);
  });
});
