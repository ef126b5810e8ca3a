import { Body, Controller, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { onTestFinished } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { currentFence } from '../../../libs/etcd-coordination/src/context/ownership-context.js';
import { FENCE_GATES, FenceGate } from '../../../libs/etcd-coordination/src/fencing/fence-gate.js';
import { fenceHeaders } from '../../../libs/etcd-coordination/src/fencing/fence-headers.js';
import { FenceLedger } from '../../../libs/etcd-coordination/src/fencing/fence-ledger.js';
import { RequireFence } from '../../../libs/etcd-coordination/src/fencing/require-fence.decorator.js';
import { NAMESPACE } from '../../support/fences.js';
import { clientOptions, type TestOptions } from '../client/options.js';

/** A service that keeps stock, one instance of it, which ends with the test. */
export class StockInstance {
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
    onTestFinished(stop);
    return new StockInstance(await app.getUrl(), reserved, stop);
  }

  /** What a holder of the lock does: the headers are those of where it stands, unless it made them before. */
  async reserve(
    by: string,
    { sku = '1', headers = fenceHeaders() }: { sku?: string; headers?: object } = {},
  ): Promise<{ status: number; message: string }> {
    const answer = await fetch(`${this.url}/reservations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ sku, by }),
    });
    const body = await answer.text();
    return { status: answer.status, message: body && (JSON.parse(body) as Error).message };
  }
}
