import { Injectable, Module, Scope, type DynamicModule, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeElections } from '../../../../test/support/fake-elections.js';
import { currentFence } from '../context/ownership-context.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { currentTerm } from './current-term.js';
import { InvalidElectionNameError } from './election-name.js';
import { LEADER_GATES, LeaderGate } from './leader-gate.js';
import { CoordinationModuleMissingError } from '../nest/coordination-module-missing.error.js';
import { Leader } from './leader.decorator.js';
import { NotLeaderError } from './not-leader.error.js';

const apps: TestingModule[] = [];

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

/** What the module provides of it, for one connection. */
function gateModule(elections: FakeElections, connection = 'default'): DynamicModule {
  const provide = LEADER_GATES.token(connection);
  class GateModule {}
  Module({})(GateModule);
  return {
    module: GateModule,
    global: true,
    providers: [{ provide, useValue: new LeaderGate(elections, 'me') }],
    exports: [provide],
  };
}

async function boot(
  elections: FakeElections,
  providers: Type<object>[],
  imports: DynamicModule[] = [],
): Promise<TestingModule> {
  const app = await Test.createTestingModule({
    imports: [gateModule(elections), ...imports],
    providers,
  }).compile();
  apps.push(app);
  await app.init();
  return app;
}

@Injectable()
class Worker {
  readonly runs: string[] = [];

  @Leader('jobs')
  note(what: string): void {
    this.runs.push(`${what} in ${currentTerm()?.epoch}`);
  }

  @Leader('jobs')
  async noteLater(what: string): Promise<void> {
    await Promise.resolve();
    this.runs.push(`${what} in ${currentTerm()?.epoch}`);
  }

  @Leader('jobs', { otherwise: 'throw' })
  sum(a: number, b: number): number {
    return a + b;
  }

  @Leader('jobs', { otherwise: 'throw' })
  async sumLater(a: number, b: number): Promise<number> {
    return a + b;
  }

  callItself(): void {
    this.note('self');
  }
}

describe('@Leader', () => {
  it('runs the method on the leader, inside the term', async () => {
    const elections = new FakeElections();
    const worker = (await boot(elections, [Worker])).get(Worker);

    worker.note('early');
    const first = elections.win('jobs');
    worker.note('a');
    await worker.noteLater('b');
    elections.lose('jobs');
    worker.note('late');
    await worker.noteLater('late');
    const second = elections.win('jobs');
    worker.callItself();

    expect(worker.runs).toEqual([
      `a in ${first.epoch}`,
      `b in ${first.epoch}`,
      `self in ${second.epoch}`,
    ]);
    expect(currentTerm()).toBeNull();
  });

  it('asks for the term at each call, so that an ended term runs nothing before anyone is told', async () => {
    const elections = new FakeElections();
    const worker = (await boot(elections, [Worker])).get(Worker);
    elections.win('jobs').end('session-lost');

    worker.note('late');

    expect(worker.runs).toEqual([]);
  });

  it('gives the fence to what the method starts', async () => {
    const elections = new FakeElections();
    const fences: unknown[] = [];
    @Injectable()
    class Writer {
      @Leader('jobs')
      async write(): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        fences.push(currentFence());
      }
    }
    const writer = (await boot(elections, [Writer])).get(Writer);
    const term = elections.win('jobs');

    await writer.write();

    expect(fences).toEqual([term.fence]);
  });

  it('is no more than the election that it names', async () => {
    const elections = new FakeElections();
    const worker = (await boot(elections, [Worker])).get(Worker);
    elections.win('other');

    worker.note('a');

    expect(worker.runs).toEqual([]);
  });

  it('skips with what the caller counts on: nothing, or a promise', async () => {
    const worker = (await boot(new FakeElections(), [Worker])).get(Worker);

    expect(worker.note('a')).toBeUndefined();
    const skipped = worker.noteLater('b');
    expect(skipped).toBeInstanceOf(Promise);
    await expect(skipped).resolves.toBeUndefined();
  });

  it('keeps a sync method sync', async () => {
    const elections = new FakeElections();
    const worker = (await boot(elections, [Worker])).get(Worker);
    elections.win('jobs');

    expect(worker.note('a')).toBeUndefined();
    expect(worker.sum(1, 2)).toBe(3);
  });

  it('throws from a sync method and rejects from one that promises', async () => {
    const elections = new FakeElections();
    elections.ledBy('jobs', 'other', 'http://10.0.0.2');
    const worker = (await boot(elections, [Worker])).get(Worker);

    expect(() => worker.sum(1, 2)).toThrow(NotLeaderError);
    await expect(worker.sumLater(1, 2)).rejects.toMatchObject({
      code: 'NOT_LEADER',
      election: 'jobs',
      instanceId: 'me',
      leader: { leaderId: 'other', value: 'http://10.0.0.2' },
      message:
        '"me" does not lead the election "jobs", and only its leader runs this. The leader is "other" (http://10.0.0.2); ask there.',
    });
  });

  it('says that no leader is known, rather than naming this instance', async () => {
    const elections = new FakeElections();
    elections.ledBy('jobs', 'me');
    const worker = (await boot(elections, [Worker])).get(Worker);

    expect(() => worker.sum(1, 2)).toThrow(/No leader is known at the moment/);
  });

  it('lets what the method throws through', async () => {
    const elections = new FakeElections();
    @Injectable()
    class Failing {
      @Leader('jobs')
      fail(): void {
        throw new Error('mine');
      }
    }
    const failing = (await boot(elections, [Failing])).get(Failing);
    elections.win('jobs');

    expect(() => failing.fail()).toThrow('mine');
  });

  it('keeps name, length and metadata, those of decorators above and below', () => {
    const Note =
      (key: string): MethodDecorator =>
      (_target, _name, descriptor) =>
        Reflect.defineMetadata(key, `value of ${key}`, descriptor.value as object);

    class Noted {
      @Note('above')
      @Leader('jobs')
      @Note('below')
      method(_a: string, _b: string): void {}
    }

    const { method } = Noted.prototype;
    expect(method.name).toBe('method');
    expect(method.length).toBe(2);
    expect(Reflect.getMetadata('above', method)).toBe('value of above');
    expect(Reflect.getMetadata('below', method)).toBe('value of below');
  });

  it('needs both terms where two elections are named', async () => {
    const elections = new FakeElections();
    @Injectable()
    class Both {
      runs = 0;
      @Leader('one')
      @Leader('two')
      async run(): Promise<void> {
        this.runs++;
      }
    }
    const both = (await boot(elections, [Both])).get(Both);

    await both.run();
    elections.win('one');
    await both.run();
    expect(both.runs).toBe(0);
    elections.win('two');
    await both.run();
    expect(both.runs).toBe(1);
  });

  it('uses the connection that it names', async () => {
    const [byDefault, named] = [new FakeElections(), new FakeElections()];
    @Injectable()
    class Reporter {
      readonly runs: string[] = [];
      @Leader('jobs')
      here(): void {
        this.runs.push('here');
      }
      @Leader('jobs', { connection: 'reports' })
      there(): void {
        this.runs.push('there');
      }
    }
    const app = await boot(byDefault, [Reporter], [gateModule(named, 'reports')]);
    const reporter = app.get(Reporter);
    named.win('jobs');

    reporter.here();
    reporter.there();

    expect(reporter.runs).toEqual(['there']);
  });
});

describe('@Leader by scope and inheritance', () => {
  it.each([Scope.DEFAULT, Scope.TRANSIENT, Scope.REQUEST])('works in scope %s', async (scope) => {
    const elections = new FakeElections();
    const runs: string[] = [];
    @Injectable({ scope })
    class Scoped {
      @Leader('jobs')
      run(): void {
        runs.push(`${currentTerm()?.epoch}`);
      }
    }
    const app = await boot(elections, [Scoped]);
    const scoped = scope === Scope.DEFAULT ? app.get(Scoped) : await app.resolve(Scoped);

    scoped.run();
    const term = elections.win('jobs');
    scoped.run();

    expect(runs).toEqual([`${term.epoch}`]);
  });

  abstract class Base {
    readonly runs: string[] = [];
    @Leader('base')
    run(): void {
      this.runs.push('base');
    }
  }
  @Injectable()
  class Inheriting extends Base {
    @Leader('own')
    own(): void {
      this.runs.push('own');
    }
  }
  @Injectable()
  class Overriding extends Base {
    override run(): void {
      this.runs.push('overriding');
    }
    base(): void {
      super.run();
    }
  }
  @Injectable()
  class Redecorating extends Base {
    @Leader('redecorated')
    override run(): void {
      this.runs.push('redecorating');
      super.run();
    }
  }

  it('is inherited', async () => {
    const elections = new FakeElections();
    const inheriting = (await boot(elections, [Inheriting])).get(Inheriting);

    inheriting.run();
    elections.win('base');
    inheriting.run();
    inheriting.own();
    elections.win('own');
    inheriting.own();

    expect(inheriting.runs).toEqual(['base', 'own']);
  });

  it('is not put on what a subclass overrides, but stays on what it calls', async () => {
    const elections = new FakeElections();
    const overriding = (await boot(elections, [Overriding])).get(Overriding);

    overriding.run();
    overriding.base();
    elections.win('base');
    overriding.base();

    expect(overriding.runs).toEqual(['overriding', 'base']);
  });

  it('stands on both where both are decorated', async () => {
    const elections = new FakeElections();
    const redecorating = (await boot(elections, [Redecorating])).get(Redecorating);

    elections.win('base');
    redecorating.run();
    elections.win('redecorated');
    redecorating.run();
    elections.lose('base');
    redecorating.run();

    expect(redecorating.runs).toEqual(['redecorating', 'base', 'redecorating']);
  });

  it('keeps two applications of one process apart', async () => {
    const [one, two] = [new FakeElections(), new FakeElections()];
    const first = (await boot(one, [Worker])).get(Worker);
    const second = (await boot(two, [Worker])).get(Worker);
    one.win('jobs');

    first.note('first');
    second.note('second');

    expect(first.runs).toHaveLength(1);
    expect(second.runs).toEqual([]);
  });

  it('works on what is created by ModuleRef', async () => {
    const elections = new FakeElections();
    const app = await boot(elections, []);
    const worker = await app.get(ModuleRef).create(Worker);
    elections.win('jobs');

    worker.note('a');

    expect(worker.runs).toHaveLength(1);
  });
});

describe('@Leader where it cannot work', () => {
  it('fails the start without the module, and says what to import', async () => {
    const starting = Test.createTestingModule({ providers: [Worker] }).compile();

    await expect(starting).rejects.toThrow(
      /import EtcdCoordinationModule\.forRoot\(\.\.\.\) in your root module/,
    );
  });

  it('names the connection that is missing', async () => {
    @Injectable()
    class Reporter {
      @Leader('jobs', { connection: 'reports' })
      run(): void {}
    }

    await expect(boot(new FakeElections(), [Reporter])).rejects.toThrow(
      /EtcdCoordinationModule\.forRoot\(\{ connection: 'reports', \.\.\. \}\)/,
    );
  });

  it('refuses the call on an object that Nest did not build', async () => {
    const worker = new Worker();

    expect(() => worker.note('a')).toThrow(CoordinationModuleMissingError);
    await expect(worker.noteLater('a')).rejects.toThrow(
      /Worker\.noteLater\(\) is gated by @Leader.*import EtcdCoordinationModule\.forRoot/,
    );
    expect(worker.runs).toEqual([]);
  });

  it('refuses the call of a detached method', async () => {
    const { note } = (await boot(new FakeElections(), [Worker])).get(Worker);

    expect(() => note.call(undefined as never, 'a')).toThrow(CoordinationModuleMissingError);
  });

  it.each([
    ['', 'is empty'],
    [undefined, 'is not a string'],
    [null, 'is not a string'],
    [42, 'is not a string'],
    [Symbol('a'), 'is not a string'],
    ['a\0b', 'NUL'],
    ['/a', 'starts or ends with "/"'],
    ['a/', 'starts or ends with "/"'],
    ['a//b', 'holds "//"'],
    ['\ud800', 'surrogate'],
    ['x'.repeat(513), 'has 513 bytes'],
    ['ü'.repeat(257), 'has 514 bytes'],
  ])('refuses the election name %j while the class is defined', (name, fault) => {
    const define = () => {
      class Misnamed {
        @Leader(name as string)
        run(): void {}
      }
      return Misnamed;
    };

    expect(define).toThrow(InvalidElectionNameError);
    expect(define).toThrow(fault);
  });

  it.each(['a', 'team/reconciler', 'größe', '選挙', '👑', 'a b', 'x'.repeat(512)])(
    'takes the election name %j',
    (name) => {
      class Named {
        @Leader(name)
        run(): void {}
      }
      expect(Named).toBeDefined();
    },
  );

  it('refuses a static method and a property', () => {
    expect(() => {
      class Static {
        @Leader('jobs')
        static run(): void {}
      }
      return Static;
    }).toThrow(InvalidDecoratorUseError);
    expect(() => {
      class Accessor {
        // @ts-expect-error an accessor is no method
        @Leader('jobs')
        get run(): number {
          return 1;
        }
      }
      return Accessor;
    }).toThrow(/@Leader on Accessor\.run cannot work: it is not a method/);
  });
});
