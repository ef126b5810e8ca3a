import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { freshPrefix, increment, standing, startTransactions } from './transactions.js';

describe.each(await serversUnderTest())('counters, $name', ({ start }) => {
  let server: ServerUnderTest;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  it('20 increments that nobody contends for have no conflict, by stm and by update', async () => {
    const { transactions, client } = await startTransactions(server.endpoint);
    const key = `${freshPrefix()}counter`;
    const before = client.requestsSent;
    for (let n = 0; n < 20; n++) expect(await increment(transactions, key)).toBe(1);
    expect(client.requestsSent - before).toBe(40);
    for (let n = 0; n < 20; n++) {
      const { attempts, changed } = await transactions.update(
        key,
        (current) => `${Number(current!.text()) + 1}`,
      );
      expect({ attempts, changed }).toEqual({ attempts: 1, changed: true });
    }
    expect(await standing(server.endpoint, key)).toEqual({ [key]: '40' });
  });

  it(
    '16 workers add 100 each to one counter, and it ends at 1,600',
    { timeout: 60_000 },
    async () => {
      const { transactions } = await startTransactions(server.endpoint);
      const key = `${freshPrefix()}counter`;
      const worker = async () => {
        for (let n = 0; n < 100; n++) await increment(transactions, key);
      };
      await Promise.all(Array.from({ length: 16 }, worker));
      expect(await standing(server.endpoint, key)).toEqual({ [key]: '1600' });
    },
  );

  it('4 processes of 4 workers each do so too', { timeout: 60_000 }, async () => {
    const key = `${freshPrefix()}counter`;
    const processes = await Promise.all(
      Array.from({ length: 4 }, () => startTransactions(server.endpoint)),
    );
    const worker = async (n: number) => {
      const { transactions } = processes[n % 4]!;
      for (let i = 0; i < 100; i++) await increment(transactions, key);
    };
    await Promise.all(Array.from({ length: 16 }, (_, n) => worker(n)));
    expect(await standing(server.endpoint, key)).toEqual({ [key]: '1600' });
  });

  it('keeps few keys of its own, and none after the session', async () => {
    const { transactions, session } = await startTransactions(server.endpoint);
    const before = Object.keys(await standing(server.endpoint, 'transaction/')).length;
    const key = `${freshPrefix()}counter`;
    await Promise.all(Array.from({ length: 5 }, () => increment(transactions, key)));
    for (let n = 0; n < 5; n++) await increment(transactions, key);
    const during = Object.keys(await standing(server.endpoint, 'transaction/')).length;
    expect(during - before).toBeGreaterThan(0);
    expect(during - before).toBeLessThanOrEqual(5);
    await session.close();
    expect(Object.keys(await standing(server.endpoint, 'transaction/'))).toHaveLength(before);
  });
});
