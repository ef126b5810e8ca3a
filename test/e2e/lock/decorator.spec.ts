import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  currentFence,
  currentLock,
  DistributedLock,
  EtcdCoordinationModule,
  EtcdSession,
  EtcdTransactions,
  LockLostError,
  StaleFenceError,
} from '../../../libs/etcd-coordination/src/index.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';

const servers = await serversUnderTest();

/** What all instances have done, in the order in which they did. */
const done: { by: string; token: bigint }[] = [];
let inside = 0;
let most = 0;

@Injectable()
class Stock {
  constructor(private readonly transactions: EtcdTransactions) {}

  @DistributedLock('sku/{sku}')
  async take(sku: string, by: string): Promise<void> {
    most = Math.max(most, ++inside);
    done.push({ by, token: currentLock()!.token });
    // Read and written apart: two at a time would lose one.
    const key = `app/${sku}`;
    let taken = 0;
    await this.transactions.fenced().update(key, (value) => {
      taken = Number(value?.text() ?? 0) + 1;
      return String(taken);
    });
    inside--;
  }

  @DistributedLock('sku/{sku}')
  async writeLate(sku: string, begun: () => void, until: Promise<void>): Promise<void> {
    const fence = currentFence()!;
    begun();
    await until;
    await this.transactions.fenced(fence).put(`app/${sku}`, 'late');
  }
}

describe.each(servers)('@DistributedLock, on $name', ({ start }) => {
  let server: ServerUnderTest;
  const apps: TestingModule[] = [];

  async function boot(): Promise<TestingModule> {
    const app = await Test.createTestingModule({
      imports: [EtcdCoordinationModule.forRoot({ endpoints: [server.endpoint] })],
      providers: [Stock],
    }).compile();
    apps.push(app);
    return app.init();
  }

  beforeAll(async () => {
    server = await start();
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    done.length = most = 0;
  });
  afterAll(() => server?.stop());

  it('runs the calls of all instances one at a time, under rising tokens', async () => {
    const [a, b] = [await boot(), await boot()];
    const calls = [a, b].flatMap((app, index) =>
      Array.from({ length: 50 }, () => app.get(Stock).take('x', 'ab'[index]!)),
    );
    await Promise.all(calls);

    expect(most).toBe(1);
    expect(done).toHaveLength(100);
    expect(new Set(done.map(({ by }) => by)).size).toBe(2);
    const tokens = done.map(({ token }) => token);
    expect(tokens).toEqual([...new Set(tokens)].toSorted((x, y) => (x < y ? -1 : 1)));
    const total = await a.get(EtcdTransactions).stm(async (tx) => (await tx.get('app/x'))?.text());
    expect(total).toBe('100');
  });

  it('says that the lock was lost, and writes nothing late', async () => {
    const app = await boot();
    let goOn!: () => void;
    const until = new Promise<void>((resolve) => (goOn = resolve));
    let outcome!: Promise<unknown>;
    await new Promise<void>((begun) => {
      outcome = app
        .get(Stock)
        .writeLate('y', begun, until)
        .catch((error: unknown) => error);
    });
    await app.get(EtcdSession).close();
    goOn();

    const error = await outcome;
    expect(error).toBeInstanceOf(LockLostError);
    expect((error as Error).cause).toBeInstanceOf(StaleFenceError);
    const other = await boot();
    const value = await other.get(EtcdTransactions).stm((tx) => tx.get('app/y'));
    expect(value).toBeNull();
    await waitFor(
      () =>
        other
          .get(Stock)
          .take('y', 'b')
          .then(() => true),
      { what: 'the next to have it' },
    );
  });
});
