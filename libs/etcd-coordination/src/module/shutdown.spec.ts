import { Injectable, Logger, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import type { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { waitFor } from '../../../../test/support/wait-for.js';
import { EtcdClient } from '../client/etcd-client.js';
import { currentTerm } from '../election/current-term.js';
import { ElectionService } from '../election/election.service.js';
import { Leader } from '../election/leader.decorator.js';
import type { LeaderTerm } from '../election/leader-term.js';
import { OnElected } from '../election/on-elected.decorator.js';
import { OnRevoked } from '../election/on-revoked.decorator.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { EtcdSession } from '../session/etcd-session.js';
import { getEtcdToken } from './coordination.tokens.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';

let etcd: EmbeddedEtcd;
let events: string[];
const apps: TestingModule[] = [];

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start();
});
afterAll(() => etcd.close());
beforeEach(() => {
  events = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function boot(
  instanceId: string,
  providers: Type<object>[],
  drainTimeoutMs?: number,
): Promise<TestingModule> {
  const app = await Test.createTestingModule({
    imports: [
      EtcdCoordinationModule.forRoot({
        endpoints: [etcd.endpoint],
        instanceId,
        ...(drainTimeoutMs !== undefined && { shutdown: { drainTimeoutMs } }),
      }),
    ],
    providers,
  }).compile();
  apps.push(app);
  await app.init();
  return app;
}

const leads = (app: TestingModule, election: string) =>
  waitFor(() => app.get(ElectionService).term(election), { what: `a term of ${election}` });

describe('shutdown', () => {
  it('withdraws, aborts, drains, hands over, revokes and closes, in this order', async () => {
    let finish: () => void = () => undefined;
    @Injectable()
    class Job {
      @Leader('order')
      async run(): Promise<void> {
        const { signal } = currentTerm()!;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        events.push('signal aborted');
        await new Promise<void>((resolve) => (finish = resolve));
        events.push(`drained, leading: ${leader.get(ElectionService).term('order') !== null}`);
      }
      @OnElected('order')
      start(): void {}
      @OnRevoked('order')
      stop(): void {
        events.push('revoked');
      }
    }
    const leader = await boot('one', [Job]);
    await leads(leader, 'order');
    const follower = await boot('two', []);
    const session = leader.get(EtcdSession);
    const next = follower
      .get(ElectionService)
      .campaign('order')
      .then(() => events.push(`handed over, session ${session.state}`));
    await waitFor(
      async () => (await follower.get(ElectionService).candidates('order')).length === 2,
      { what: 'both to stand' },
    );
    const log = vi.spyOn(Logger.prototype, 'log');
    const running = leader.get(Job).run();

    const closing = leader.close();
    await waitFor(() => events.includes('signal aborted'), { what: 'the signal to abort' });
    // Nobody else leads while work still runs, however often etcd is asked.
    const raw: Etcd3 = follower.get(getEtcdToken());
    for (let times = 0; times < 10; times++) {
      expect(await raw.getAll().prefix('coordination/election/order/').keys()).toHaveLength(2);
    }
    finish();
    await running;
    await next;
    await closing;

    expect(events).toEqual([
      'signal aborted',
      'revoked',
      'drained, leading: false',
      'handed over, session active',
    ]);
    expect(session.state).toBe('closed');
    expect(leader.get(EtcdClient).isClosed).toBe(true);
    const steps = log.mock.calls
      .map(([line]) => String(line))
      .filter((line) => line.startsWith('Etcd connection "default", '));
    expect(steps.map((line) => line.replace(/\d+ ms/, 'N ms'))).toEqual([
      'Etcd connection "default", leaving the probing: done in N ms.',
      'Etcd connection "default", leaving releases: done in N ms.',
      'Etcd connection "default", withdrawing from elections: done in N ms.',
      'Etcd connection "default", draining work under locks: done in N ms.',
      'Etcd connection "default", draining work and handing over leadership: done in N ms.',
      'Etcd connection "default", writing what is gathered, closing limits and switches: done in N ms.',
      'Etcd connection "default", closing configurations: done in N ms.',
      'Etcd connection "default", deregistering: done in N ms.',
      'Etcd connection "default", closing the discovery: done in N ms.',
      'Etcd connection "default", closing the locks: done in N ms.',
      'Etcd connection "default", revoking the lease: done in N ms.',
      'Etcd connection "default", closing the watches: done in N ms.',
      'Etcd connection "default", closing the client: done in N ms.',
    ]);
  });

  it('does not wait for work that goes on past the drain budget', async () => {
    let finish: () => void = () => undefined;
    @Injectable()
    class Stubborn {
      @OnElected('stubborn')
      async run(): Promise<void> {
        await new Promise<void>((resolve) => (finish = resolve));
      }
    }
    const app = await boot('one', [Stubborn], 20);
    await leads(app, 'stubborn');
    const next = (await boot('two', [])).get(ElectionService).campaign('stubborn');

    await app.close();

    await expect(next).resolves.toMatchObject({ election: 'stubborn' });
    finish();
  });

  it('waits for @OnRevoked within the budget', async () => {
    @Injectable()
    class CleaningUp {
      @OnElected('cleaning')
      start(): void {}
      @OnRevoked('cleaning')
      async stop({ epoch }: LeaderTerm): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        events.push(`cleaned up ${epoch}`);
      }
    }
    const app = await boot('one', [CleaningUp]);
    const { epoch } = await leads(app, 'cleaning');

    await app.close();

    expect(events).toEqual([`cleaned up ${epoch}`]);
  });

  it('leaves etcd to the hooks of the application until the last', async () => {
    @Injectable()
    class LastWords {
      constructor(private readonly session: EtcdSession) {}
      onModuleDestroy(): void {
        events.push(`destroy: ${this.session.state}`);
      }
      beforeApplicationShutdown(): void {
        events.push(`before shutdown: ${this.session.state}`);
      }
      onApplicationShutdown(): void {
        events.push(`shutdown: ${this.session.state}`);
      }
    }
    const app = await boot('one', [LastWords]);

    await app.close();

    expect(events).toEqual(['destroy: active', 'before shutdown: active', 'shutdown: active']);
  });

  it('leaves nothing in etcd', async () => {
    @Injectable()
    class Job {
      @Leader('traces')
      run(): void {}
    }
    const [app, witness] = [await boot('one', [Job]), await boot('two', [])];
    await leads(app, 'traces');
    const raw: Etcd3 = witness.get(getEtcdToken());
    const keys = () => raw.getAll().prefix('coordination/election/traces/').keys();
    expect(await keys()).toHaveLength(1);

    await app.close();

    expect(await keys()).toEqual([]);
    const { leases } = await raw.leaseClient.leaseLeases();
    expect(leases).toHaveLength(1);
  });

  it('ends although etcd is gone, and says what failed', async () => {
    const gone = await EmbeddedEtcd.start();
    @Injectable()
    class Job {
      @Leader('gone')
      run(): void {}
    }
    const app = await Test.createTestingModule({
      imports: [
        EtcdCoordinationModule.forRoot({
          endpoints: [gone.endpoint],
          timeouts: { write: 100 },
        }),
      ],
      providers: [Job],
    }).compile();
    await app.init();
    await leads(app, 'gone');
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await gone.close();

    await app.close();

    expect(app.get(EtcdClient).isClosed).toBe(true);
    expect(app.get(EtcdSession).state).toBe('closed');
    expect(warn).toHaveBeenCalled();
  });

  it('goes on past a step that fails or hangs', async () => {
    const app = await boot('one', []);
    vi.spyOn(ElectionService.prototype, 'withdraw').mockRejectedValue(new Error('no'));
    vi.spyOn(ElectionService.prototype, 'handOver').mockReturnValue(new Promise(() => undefined));
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const closing = app.close();
      await vi.advanceTimersByTimeAsync(10_000 + 5000 + 1000);
      await closing;
    } finally {
      vi.useRealTimers();
    }

    expect(app.get(EtcdClient).isClosed).toBe(true);
    expect(warn.mock.calls.map(([line]) => String(line).replace(/after \d+/, 'after N'))).toEqual([
      'Etcd connection "default", withdrawing from elections failed after N ms; going on: Error: no',
      'Etcd connection "default", draining work and handing over leadership has not ended within 16000 ms; going on without it.',
    ]);
  });
});
