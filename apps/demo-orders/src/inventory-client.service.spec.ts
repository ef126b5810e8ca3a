import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DemoSettings } from '../../demo-shared/src/settings.js';
import { InventoryClient, inTurn } from './inventory-client.service.js';

/** What a process of demo-inventory does with a request: answers, or (null) never. */
type Answer = [status: number, body: object] | null;

describe('asking for stock', () => {
  const servers: Server[] = [];
  let asked: string[];

  beforeEach(() => {
    asked = [];
    vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function inventory(name: string, ...answers: Answer[]): Promise<string> {
    const server = createServer((request, response) => {
      request.resume();
      asked.push(name);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (!answer) return;
      response.writeHead(answer[0], { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer[1]));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const reserve = (...urls: string[]) =>
    // The sum of its letters is even: it is asked for at the first of two.
    new InventoryClient({ inventory: urls } as unknown as DemoSettings).reserve('r', {
      ...{ sku: 'bb', quantity: 2 },
    });
  const made = { id: 'r', sku: 'bb', quantity: 2, token: '7', reservedBy: 'inventory-1' };

  it('asks the same process first for the same article', () => {
    expect(inTurn(['a', 'b'], 'bb')).toEqual(['a', 'b']);
    expect(inTurn(['a', 'b'], 'bc')).toEqual(['b', 'a']);
    expect(inTurn(['a'], 'bc')).toEqual(['a']);
  });

  it('is answered by the first', async () => {
    const first = await inventory('first', [201, made]);
    expect(await reserve(first, await inventory('second', [201, made]))).toEqual(made);
    expect(asked).toEqual(['first']);
  });

  it.each([
    ['has lost the lock', [503, { code: 'LOCK_LOST' }]],
    ['has lost it without knowing', [409, { code: 'STALE_FENCE' }]],
    ['could not get the lock', [423, { code: 'LOCK_BUSY' }]],
    ['does not answer', null],
  ] as [string, Answer][])('goes on to the next if the first %s', async (_, answer) => {
    const first = await inventory('first', answer);
    expect(await reserve(first, await inventory('second', [201, made]))).toEqual(made);
    expect(asked).toEqual(['first', 'second']);
  });

  it('passes on what the inventory refuses', async () => {
    const refusal = { statusCode: 409, message: '2 of bb were to be reserved and 1 are on hand.' };
    const first = await inventory('first', [409, refusal]);
    await expect(reserve(first)).rejects.toMatchObject({ status: 409, response: refusal });
    expect(asked).toEqual(['first']);
  });

  it('gives up at last', async () => {
    const first = await inventory('first', [503, { message: 'away' }]);
    await expect(reserve(first)).rejects.toMatchObject({ status: 503 });
    expect(asked).toEqual(['first', 'first', 'first']);
  });
});
