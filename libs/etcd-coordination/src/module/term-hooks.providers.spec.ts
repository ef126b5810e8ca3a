import { Controller, Inject, Injectable, Logger, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it, vi } from 'vitest';
import { FakeElections } from '../../../../test/support/fake-elections.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { Leader } from '../election/leader.decorator.js';
import type { LeaderTerm } from '../election/leader-term.js';
import { OnElected } from '../election/on-elected.decorator.js';
import { OnRevoked } from '../election/on-revoked.decorator.js';
import {
  bootHooked,
  events,
  HookedReconciler,
  turn,
  useHookedApps,
} from '../../../../test/support/term-hooks-stage.js';

useHookedApps();

describe('@OnElected and @OnRevoked by the kind of provider', () => {
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
    await bootHooked(elections, { providers: [PerTerm, Dependency] });
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
    await bootHooked(elections, { controllers: [Requested] });
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
    await bootHooked(elections, { providers: [Impossible] });
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
    await bootHooked(elections, { providers: [Transient, One, Two] });
    elections.win('jobs');
    await turn();

    expect(events.toSorted()).toEqual(['start 1', 'start 2']);
  });

  it('are inherited, and left off by an override', async () => {
    const elections = new FakeElections();
    @Injectable()
    class Inheriting extends HookedReconciler {}
    @Injectable()
    class Overriding extends HookedReconciler {
      override start(): void {
        events.push('not a hook');
      }
    }
    await bootHooked(elections, { providers: [Inheriting, Overriding] });
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
    await bootHooked(elections, { providers: [Twice] });
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
    await bootHooked(elections, {
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
    await bootHooked(elections, { providers: [Reporting] }, 'reports');
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
      bootHooked(new FakeElections(), {
        providers: [{ provide: 'x', useFactory: () => new ByHand() }],
      }),
    ).rejects.toMatchObject({
      code: 'UNKNOWN_CONNECTION',
      message: expect.stringContaining('ByHand asks for the etcd connection "reports"') as string,
    });
  });
});
