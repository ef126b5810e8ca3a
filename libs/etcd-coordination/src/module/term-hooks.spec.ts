import { Controller, Inject, Injectable, Logger, type ModuleMetadata, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeElections } from '../../../../test/support/fake-elections.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { systemClock } from '../client/clock.js';
import { EtcdClient } from '../client/etcd-client.js';
import { currentTerm } from '../election/current-term.js';
import { ElectionService } from '../election/election.service.js';
import { Leader } from '../election/leader.decorator.js';
import type { LeaderTerm } from '../election/leader-term.js';
import { OnElected } from '../election/on-elected.decorator.js';
import { OnRevoked } from '../election/on-revoked.decorator.js';
import { EtcdSession } from '../session/etcd-session.js';
import { WatchHub } from '../watch/watch-hub.js';
import { getCoordinationToken } from './coordination.tokens.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';

/** What happened, in order; of the classes below. */
let events: string[] = [];
const apps: TestingModule[] = [];

beforeEach(() => {
  events = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

/** The whole module, with elections that the test decides. */
async function boot(
  elections: FakeElections,
  metadata: ModuleMetadata,
  connection = 'default',
): Promise<TestingModule> {
  const closing = { close: async () => undefined };
  const app = await Test.createTestingModule({
    ...metadata,
    imports: [
      EtcdCoordinationModule.forRoot({ endpoints: ['127.0.0.1:1'], connection }),
      ...(metadata.imports ?? []),
    ],
  })
    .overrideProvider(getCoordinationToken(EtcdClient, connection))
    .useValue({ ...closing, etcd: {}, clock: systemClock })
    .overrideProvider(getCoordinationToken(EtcdSession, connection))
    .useValue({ ...closing, state: 'active', lease: {}, start: async () => undefined })
    .overrideProvider(getCoordinationToken(WatchHub, connection))
    .useValue(closing)
    .overrideProvider(getCoordinationToken(ElectionService, connection))
    .useValue(elections)
    .compile();
  apps.push(app);
  await app.init();
  return app;
}

/** Lets everything happen that needs no more than the present turn of the event loop. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

@Injectable()
class Reconciler {
  @OnElected('jobs')
  start(term: LeaderTerm): void {
    events.push(`start ${term.epoch} in ${currentTerm()?.epoch}`);
  }
  @OnRevoked('jobs')
  stop(term: LeaderTerm): void {
    events.push(`stop ${term.epoch}: ${(term.signal.reason as { reason: string }).reason}`);
  }
}

describe('@OnElected and @OnRevoked', () => {
  it('follow the terms in order, one revocation for each election', async () => {
    const elections = new FakeElections();
    await boot(elections, { providers: [Reconciler] });

    await turn();
    expect(events).toEqual([]);
    const first = elections.win('jobs');
    await turn();
    elections.lose('jobs', 'resigned');
    await turn();
    const second = elections.win('jobs');
    await turn();
    // A new term without a gap between.
    const third = elections.win('jobs');
    await turn();

    expect(events).toEqual([
      `start ${first.epoch} in ${first.epoch}`,
      `stop ${first.epoch}: resigned`,
      `start ${second.epoch} in ${second.epoch}`,
      `stop ${second.epoch}: session-lost`,
      `start ${third.epoch} in ${third.epoch}`,
    ]);
  });

  it('are told of the term that stands when the application starts', async () => {
    const elections = new FakeElections();
    const { epoch } = elections.win('jobs');

    await boot(elections, { providers: [Reconciler] });
    await turn();

    expect(events).toEqual([`start ${epoch} in ${epoch}`]);
  });

  it('are told of the end when the application ends', async () => {
    const elections = new FakeElections();
    const app = await boot(elections, { providers: [Reconciler] });
    const { epoch } = elections.win('jobs');
    await turn();

    await app.close();

    expect(events.at(-1)).toBe(`stop ${epoch}: shutdown`);
    elections.win('jobs');
    await turn();
    expect(events).toHaveLength(2);
  });

  it.each([undefined, new Error('broken')])(
    'take the end of the stream of terms for the end of the term: %s',
    async (failure) => {
      const error = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      const elections = new FakeElections();
      await boot(elections, { providers: [Reconciler] });
      const term = elections.win('jobs');
      await turn();

      term.end('session-lost');
      elections.fallSilent('jobs', failure);
      await turn();

      expect(events.at(-1)).toBe(`stop ${term.epoch}: session-lost`);
      expect(error.mock.calls).toEqual(
        failure ? [['Reconciler can no longer be told of its terms.', failure]] : [],
      );
    },
  );

  it('let a method run for as long as its term, and are revoked meanwhile', async () => {
    const elections = new FakeElections();
    @Injectable()
    class Looping {
      @OnElected('jobs')
      async loop(term: LeaderTerm): Promise<void> {
        events.push('begin');
        await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
        await turn();
        events.push(`end in ${currentTerm()?.epoch}`);
      }
      @OnRevoked('jobs')
      stop(): void {
        events.push('revoked');
      }
    }
    await boot(elections, { providers: [Looping] });
    const { epoch } = elections.win('jobs');
    await turn();
    elections.lose('jobs');

    await waitFor(() => events.length === 3, { what: 'the loop to end' });

    expect(events).toEqual(['begin', 'revoked', `end in ${epoch}`]);
  });

  it('wait with the next term of a class until its revocation has settled', async () => {
    const elections = new FakeElections();
    let cleanUp: () => void = () => undefined;
    @Injectable()
    class CleaningUp {
      @OnElected('jobs')
      start({ epoch }: LeaderTerm): void {
        events.push(`start ${epoch}`);
      }
      @OnRevoked('jobs')
      async stop({ epoch }: LeaderTerm): Promise<void> {
        await new Promise<void>((resolve) => (cleanUp = resolve));
        events.push(`cleaned up ${epoch}`);
      }
    }
    await boot(elections, { providers: [CleaningUp, Reconciler] });
    const first = elections.win('jobs');
    await turn();
    const second = elections.win('jobs');
    await turn();
    // Another class is not held up.
    expect(events).toContain(`start ${second.epoch} in ${second.epoch}`);
    expect(events).not.toContain(`start ${second.epoch}`);

    cleanUp();
    await turn();

    const own = events.filter((event) => !event.includes(' in ') && !event.startsWith('stop'));
    expect(own).toEqual([
      `start ${first.epoch}`,
      `cleaned up ${first.epoch}`,
      `start ${second.epoch}`,
    ]);
    elections.lose('jobs');
    await turn();
    cleanUp();
  });

  it('say nothing of a term that has ended before its turn came', async () => {
    const elections = new FakeElections();
    await boot(elections, { providers: [Reconciler] });

    elections.win('jobs');
    elections.lose('jobs');
    await turn();

    expect(events).toEqual([]);
  });

  it('log what fails, with its place and its term, and let the term and the others go on', async () => {
    const error = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const elections = new FakeElections();
    @Injectable()
    class Failing {
      @OnElected('jobs')
      throws(): void {
        throw new Error('sync');
      }
      @OnElected('jobs')
      async rejects(): Promise<void> {
        await turn();
        throw new Error('async');
      }
      @OnRevoked('jobs')
      async stop(): Promise<void> {
        throw new Error('revoked');
      }
    }
    await boot(elections, { providers: [Failing, Reconciler] });
    const term = elections.win('jobs');
    await waitFor(() => error.mock.calls.length === 2, { what: 'both to be logged' });
    expect(term.isValid()).toBe(true);
    elections.lose('jobs');
    await turn();

    const where = `in the term of election "jobs" with epoch ${term.epoch}; the term is not touched by that.`;
    expect(error.mock.calls).toEqual([
      [`Failing.throws() failed ${where}`, expect.objectContaining({ message: 'sync' })],
      [`Failing.rejects() failed ${where}`, expect.objectContaining({ message: 'async' })],
      [`Failing.stop() failed ${where}`, expect.objectContaining({ message: 'revoked' })],
    ]);
    expect(events).toHaveLength(2);
  });

  it('make an object of a request-scoped class for each term, and tell it of the end', async () => {
    const elections = new FakeElections();
    let made = 0;
    @Injectable({ scope: Scope.REQUEST })
    class Dependency {
      readonly id = ++made;
    }
    @Injectable()
    class PerTerm {
      constructor(
        private readonly dependency: Dependency,
        @Inject(REQUEST) private readonly request: LeaderTerm,
      ) {}
      @OnElected('jobs')
      start({ epoch }: LeaderTerm): void {
        events.push(`${this.dependency.id} start ${epoch} of ${this.request.epoch}`);
      }
      @OnRevoked('jobs')
      stop({ epoch }: LeaderTerm): void {
        events.push(`${this.dependency.id} stop ${epoch} of ${this.request.epoch}`);
      }
    }
    await boot(elections, { providers: [PerTerm, Dependency] });
    const first = elections.win('jobs').epoch;
    await turn();
    const second = elections.win('jobs').epoch;
    await turn();
    elections.lose('jobs');
    await turn();

    expect(events).toEqual([
      `1 start ${first} of ${first}`,
      `1 stop ${first} of ${first}`,
      `2 start ${second} of ${second}`,
      `2 stop ${second} of ${second}`,
    ]);
  });

  it('work on request-scoped controllers', async () => {
    const elections = new FakeElections();
    @Controller({ scope: Scope.REQUEST })
    class Requested {
      @OnElected('jobs')
      start(): void {
        events.push('start');
      }
    }
    await boot(elections, { controllers: [Requested] });
    elections.win('jobs');
    await waitFor(() => events.length > 0, { what: 'the start' });

    expect(events).toEqual(['start']);
  });

  it('log that a request-scoped class cannot be made', async () => {
    const error = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const elections = new FakeElections();
    @Injectable({ scope: Scope.REQUEST })
    class Impossible {
      constructor() {
        throw new Error('cannot be made');
      }
      @OnElected('jobs')
      start(): void {}
    }
    await boot(elections, { providers: [Impossible] });
    const { epoch } = elections.win('jobs');
    await waitFor(() => error.mock.calls.length > 0, { what: 'the log line' });

    expect(error).toHaveBeenCalledWith(
      `Nest could not make a Impossible for the term of election "jobs" with epoch ${epoch}, so nobody was told of it.`,
      expect.objectContaining({ message: 'cannot be made' }),
    );
  });

  it('call each object of a transient class', async () => {
    const elections = new FakeElections();
    let made = 0;
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      readonly id = ++made;
      @OnElected('jobs')
      start(): void {
        events.push(`start ${this.id}`);
      }
    }
    @Injectable()
    class One {
      constructor(readonly transient: Transient) {}
    }
    @Injectable()
    class Two {
      constructor(readonly transient: Transient) {}
    }
    await boot(elections, { providers: [Transient, One, Two] });
    elections.win('jobs');
    await turn();

    expect(events.toSorted()).toEqual(['start 1', 'start 2']);
  });

  it('are inherited, and left off by an override', async () => {
    const elections = new FakeElections();
    @Injectable()
    class Inheriting extends Reconciler {}
    @Injectable()
    class Overriding extends Reconciler {
      override start(): void {
        events.push('not a hook');
      }
    }
    await boot(elections, { providers: [Inheriting, Overriding] });
    const { epoch } = elections.win('jobs');
    await turn();
    elections.lose('jobs');
    await turn();

    expect(events).toEqual([
      `start ${epoch} in ${epoch}`,
      `stop ${epoch}: session-lost`,
      `stop ${epoch}: session-lost`,
    ]);
  });

  it('stand together with @Leader, and twice on one method', async () => {
    const elections = new FakeElections();
    @Injectable()
    class Twice {
      @Leader('one')
      @OnElected('one')
      @OnElected('two')
      start(term: LeaderTerm): void {
        events.push(term.election);
      }
    }
    await boot(elections, { providers: [Twice] });
    elections.win('two');
    await turn();
    expect(events).toEqual([]);
    elections.win('one');
    await turn();

    expect(events).toEqual(['one']);
  });

  it('work on what a factory or a value provides', async () => {
    const elections = new FakeElections();
    class ByHand {
      @OnElected('jobs')
      start(): void {
        events.push('start');
        this.gated();
      }
      @Leader('jobs')
      gated(): void {
        events.push('gated');
      }
    }
    const value = new ByHand();
    await boot(elections, {
      providers: [
        { provide: 'factory', useFactory: () => new ByHand() },
        { provide: 'value', useValue: value },
        { provide: 'alias', useExisting: 'value' },
      ],
    });
    elections.win('jobs');
    await turn();

    expect(events).toEqual(['start', 'gated', 'start', 'gated']);
  });

  it('use the connection that they name', async () => {
    const elections = new FakeElections();
    @Injectable()
    class Reporting {
      @OnElected('jobs', { connection: 'reports' })
      start(): void {
        events.push('start');
      }
    }
    await boot(elections, { providers: [Reporting] }, 'reports');
    elections.win('jobs');
    await turn();

    expect(events).toEqual(['start']);
    expect(elections.joined).toEqual([{ election: 'jobs', value: undefined }]);
  });

  it.each([
    ['OnElected', OnElected],
    ['OnRevoked', OnRevoked],
  ])('fail the start without the module: @%s', async (_, decorator) => {
    @Injectable()
    class Alone {
      @decorator('jobs')
      hook(): void {}
    }

    await expect(Test.createTestingModule({ providers: [Alone] }).compile()).rejects.toThrow(
      /import EtcdCoordinationModule\.forRoot\(\.\.\.\) in your root module/,
    );
  });

  it('fail the start when a factory provides a class of an unknown connection', async () => {
    class ByHand {
      @OnElected('jobs', { connection: 'reports' })
      start(): void {}
    }

    await expect(
      boot(new FakeElections(), { providers: [{ provide: 'x', useFactory: () => new ByHand() }] }),
    ).rejects.toMatchObject({
      code: 'UNKNOWN_CONNECTION',
      message: expect.stringContaining('ByHand asks for the etcd connection "reports"') as string,
    });
  });
});
