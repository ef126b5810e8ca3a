import { Body, Controller, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { newestFenceKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import type { Fence } from '../../../libs/etcd-coordination/src/context/fence.js';
import {
  currentFence,
  runOwning,
} from '../../../libs/etcd-coordination/src/context/ownership-context.js';
import { FENCE_GATES, FenceGate } from '../../../libs/etcd-coordination/src/fencing/fence-gate.js';
import { fenceHeaders } from '../../../libs/etcd-coordination/src/fencing/fence-headers.js';
import { FenceLedger } from '../../../libs/etcd-coordination/src/fencing/fence-ledger.js';
import { RequireFence } from '../../../libs/etcd-coordination/src/fencing/require-fence.decorator.js';
import { enableAuth } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { fenceOf, NAMESPACE } from '../../support/fences.js';
import { clientOptions, type TestOptions } from '../client/options.js';

const lines = await availableEtcdLines();
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A service that keeps stock, one instance of it. */
class StockInstance {
  private constructor(
    private readonly url: string,
    readonly reserved: string[],
    readonly stop: () => Promise<void>,
  ) {}

  static async start(endpoint: string, options?: TestOptions): Promise<StockInstance> {
    const client = await EtcdClient.connect(clientOptions(endpoint, options));
    const gate = new FenceGate(new FenceLedger({ client, namespace: NAMESPACE }));
    const reserved: string[] = [];
    @Controller()
    class StockController {
      @Post('reservations')
      @RequireFence('lock/sku/{0.sku}')
      async reserve(@Body() { sku, by }: { sku: string; by: string }): Promise<void> {
        reserved.push(`${sku} by ${by} under ${currentFence()?.revision}`);
      }
    }
    const module = await Test.createTestingModule({
      controllers: [StockController],
      providers: [{ provide: FENCE_GATES.token('default'), useValue: gate }],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    let stopping: Promise<void> | undefined;
    const end = async () => {
      await app.close();
      await client.close();
    };
    const stop = () => (stopping ??= end());
    closers.push(stop);
    return new StockInstance(await app.getUrl(), reserved, stop);
  }

  /** What a holder of the lock does. */
  async reserve(fence: Fence, by: string, sku = '1'): Promise<{ status: number; message: string }> {
    return runOwning('lock', fence, fence, async () => {
      const answer = await fetch(`${this.url}/reservations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...fenceHeaders() },
        body: JSON.stringify({ sku, by }),
      });
      const body = await answer.text();
      return { status: answer.status, message: body && (JSON.parse(body) as Error).message };
    });
  }
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

    expect(await one.reserve(old, 'a')).toMatchObject({ status: 201 });
    // The holder is frozen, its lock goes on to another, and it wakes up.
    expect(await two.reserve(young, 'b')).toMatchObject({ status: 201 });
    const stale = { status: 409, message: expect.stringContaining('has been seen since') };
    expect(await one.reserve(old, 'a, late')).toEqual(stale);
    expect(await two.reserve(old, 'a, late')).toEqual(stale);
    expect(one.reserved).toEqual(['1 by a under 5']);
    expect(two.reserved).toEqual(['1 by b under 6']);

    await Promise.all([one.stop(), two.stop()]);
    await server.restart();
    const restarted = await StockInstance.start(server.endpoint);
    expect(await restarted.reserve(old, 'a, late')).toEqual(stale);
    expect(await restarted.reserve(young, 'b')).toMatchObject({ status: 201 });
    expect(restarted.reserved).toEqual(['1 by b under 6']);
  });

  it('runs nothing while etcd is away', async () => {
    const away = await EtcdServer.start({ line });
    const timeouts = { write: 500 };
    const stock = await StockInstance.start(away.endpoint, { timeouts });
    expect(await stock.reserve(fenceOf('sku/1', 5), 'a')).toMatchObject({ status: 201 });
    await away.kill();
    expect(await stock.reserve(fenceOf('sku/1', 5), 'a')).toEqual({
      status: 503,
      message: expect.stringContaining('could not be asked of etcd'),
    });
    expect(stock.reserved).toHaveLength(1);
  });

  it('runs nothing for what its user may not see', async () => {
    const guarded = await EtcdServer.start({ line });
    closers.push(() => guarded.kill());
    const prefix = newestFenceKey(NAMESPACE, 'lock/sku/1').replace(/newest$/, '');
    await enableAuth(guarded.endpoint, 'secret', [{ name: 'stock', password: 'pass', prefix }]);
    const auth = { username: 'stock', password: 'pass' };
    const stock = await StockInstance.start(guarded.endpoint, { auth });
    expect(await stock.reserve(fenceOf('sku/1', 5), 'a')).toMatchObject({ status: 201 });
    expect(await stock.reserve(fenceOf('sku/2', 5), 'a', '2')).toEqual({
      status: 503,
      message: expect.stringMatching(/user "stock" has no permission/),
    });
    expect(stock.reserved).toHaveLength(1);
  });
});
