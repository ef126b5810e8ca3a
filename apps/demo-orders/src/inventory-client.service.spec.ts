import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Logger, Module } from '@nestjs/common';
import {
  EtcdCoordinationModule,
  ServiceDiscovery,
  ServiceRegistry,
} from 'nestjs-etcd-coordination';
import { TestFleet, type TestInstance } from 'nestjs-etcd-coordination/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { waitFor } from '../../../test/support/wait-for.js';
import { INVENTORY } from '../../demo-shared/src/data/demo-keys.js';
import { InventoryClient } from './inventory-client.service.js';

/** What a process of demo-inventory does with a request: answers, or (null) never. */
type Answer = [status: number, body: object] | null;

@Module({
  imports: [EtcdCoordinationModule.forRoot({ endpoints: ['127.0.0.1:2379'] })],
  providers: [InventoryClient],
})
class App {}

describe('asking for stock', () => {
  const SKU = 'bb';
  const made = { id: 'r', sku: SKU, quantity: 2, token: '7', reservedBy: 'inventory-1' };
  const fine: Answer = [201, made];

  const servers: Server[] = [];
  let fleet: TestFleet;
  let app: TestInstance;
  /** In the order in which they are asked for the article. */
  let order: string[];
  let answers: Record<string, Answer>;
  let asked: string[];

  beforeEach(async () => {
    vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    asked = [];
    fleet = await TestFleet.start(App, { time: 'real' });
    app = fleet.instances[0]!;
    for (const id of ['a', 'b']) {
      const address = await open(id);
      await app.get(ServiceRegistry).register({ name: INVENTORY, id, address });
    }
    const discovery = app.get(ServiceDiscovery);
    await waitFor(
      () => discovery.instances(INVENTORY).filter(({ state }) => state === 'up').length === 2,
      { what: 'both to be found' },
    );
    const first = discovery.choose(INVENTORY, { hashKey: SKU }).id;
    order = first === 'a' ? ['a', 'b'] : ['b', 'a'];
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await fleet.close();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function open(id: string): Promise<string> {
    const server = createServer((request, response) => {
      request.resume();
      asked.push(id);
      const answer = answers[id];
      if (!answer) return;
      response.writeHead(answer[0], { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer[1]));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const reserve = (first: Answer, second: Answer = fine) => {
    answers = { [order[0]!]: first, [order[1]!]: second };
    return app.get(InventoryClient).reserve('r', { sku: SKU, quantity: 2 });
  };

  it('asks the same process first for the same article', async () => {
    await reserve(fine);
    await reserve(fine);
    expect(asked).toEqual([order[0], order[0]]);
  });

  it.each([
    ['has lost the lock', [503, { code: 'LOCK_LOST' }]],
    ['has lost it without knowing', [409, { code: 'STALE_FENCE' }]],
    ['could not get the lock', [423, { code: 'LOCK_BUSY' }]],
    ['does not answer', null],
  ] as [string, Answer][])('goes on to the next if the first %s', async (_, answer) => {
    expect(await reserve(answer)).toEqual(made);
    expect(asked).toEqual(order);
  });

  it('passes on what the inventory refuses', async () => {
    const refusal = { statusCode: 409, message: '2 of bb were to be reserved and 1 are on hand.' };
    await expect(reserve([409, refusal])).rejects.toMatchObject({ status: 409, response: refusal });
    expect(asked).toEqual([order[0]]);
  });

  it('gives up at last', async () => {
    const away: Answer = [503, { message: 'away' }];
    await expect(reserve(away, away)).rejects.toMatchObject({ status: 503 });
    expect(asked).toHaveLength(3);
    expect(asked.slice(0, 2)).toEqual(order);
  });

  it('looks up what is on hand at one that answers', async () => {
    const item = { sku: SKU, onHand: 3, servedBy: 'inventory-1' };
    answers = { a: [200, item], b: [503, { message: 'away' }] };
    const client = app.get(InventoryClient);
    for (let look = 0; look < 4; look += 1) expect(await client.availability(SKU)).toEqual(item);
    answers = { a: [404, { message: 'none' }], b: [404, { message: 'none' }] };
    await expect(client.availability('none')).rejects.toMatchObject({ status: 404 });
  });
});
