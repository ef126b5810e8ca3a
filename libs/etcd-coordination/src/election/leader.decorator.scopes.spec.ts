import { Injectable, Scope } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { describe, expect, it } from 'vitest';
import { FakeElections } from '../../../../test/support/fake-elections.js';
import { currentTerm } from './current-term.js';
import { Leader } from './leader.decorator.js';
import {
  bootGated,
  closeAppsAfterEach,
  LeaderWorker,
} from '../../../../test/support/leader-stage.js';

closeAppsAfterEach();

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
    const app = await bootGated(elections, [Scoped]);
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
    const inheriting = (await bootGated(elections, [Inheriting])).get(Inheriting);

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
    const overriding = (await bootGated(elections, [Overriding])).get(Overriding);

    overriding.run();
    overriding.base();
    elections.win('base');
    overriding.base();

    expect(overriding.runs).toEqual(['overriding', 'base']);
  });

  it('stands on both where both are decorated', async () => {
    const elections = new FakeElections();
    const redecorating = (await bootGated(elections, [Redecorating])).get(Redecorating);

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
    const first = (await bootGated(one, [LeaderWorker])).get(LeaderWorker);
    const second = (await bootGated(two, [LeaderWorker])).get(LeaderWorker);
    one.win('jobs');

    first.note('first');
    second.note('second');

    expect(first.runs).toHaveLength(1);
    expect(second.runs).toEqual([]);
  });

  it('works on what is created by ModuleRef', async () => {
    const elections = new FakeElections();
    const app = await bootGated(elections, []);
    const worker = await app.get(ModuleRef).create(LeaderWorker);
    elections.win('jobs');

    worker.note('a');

    expect(worker.runs).toHaveLength(1);
  });
});
