import { Injectable } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { FakeElections } from '../../../../test/support/fake-elections.js';
import { currentFence } from '../context/ownership-context.js';
import { currentTerm } from './current-term.js';
import { Leader } from './leader.decorator.js';
import { NotLeaderError } from './not-leader.error.js';
import {
  bootGated,
  closeAppsAfterEach,
  gateModule,
  LeaderWorker,
} from '../../../../test/support/leader-stage.js';

closeAppsAfterEach();

describe('@Leader', () => {
  it('runs the method on the leader, inside the term', async () => {
    const elections = new FakeElections();
    const worker = (await bootGated(elections, [LeaderWorker])).get(LeaderWorker);

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
    const worker = (await bootGated(elections, [LeaderWorker])).get(LeaderWorker);
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
    const writer = (await bootGated(elections, [Writer])).get(Writer);
    const term = elections.win('jobs');

    await writer.write();

    expect(fences).toEqual([term.fence]);
  });

  it('is no more than the election that it names', async () => {
    const elections = new FakeElections();
    const worker = (await bootGated(elections, [LeaderWorker])).get(LeaderWorker);
    elections.win('other');

    worker.note('a');

    expect(worker.runs).toEqual([]);
  });

  it('skips with what the caller counts on: nothing, or a promise', async () => {
    const worker = (await bootGated(new FakeElections(), [LeaderWorker])).get(LeaderWorker);

    expect(worker.note('a')).toBeUndefined();
    const skipped = worker.noteLater('b');
    expect(skipped).toBeInstanceOf(Promise);
    await expect(skipped).resolves.toBeUndefined();
  });

  it('keeps a sync method sync', async () => {
    const elections = new FakeElections();
    const worker = (await bootGated(elections, [LeaderWorker])).get(LeaderWorker);
    elections.win('jobs');

    expect(worker.note('a')).toBeUndefined();
    expect(worker.sum(1, 2)).toBe(3);
  });

  it('throws from a sync method and rejects from one that promises', async () => {
    const elections = new FakeElections();
    elections.ledBy('jobs', 'other', 'http://10.0.0.2');
    const worker = (await bootGated(elections, [LeaderWorker])).get(LeaderWorker);

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
    const worker = (await bootGated(elections, [LeaderWorker])).get(LeaderWorker);

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
    const failing = (await bootGated(elections, [Failing])).get(Failing);
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
    const both = (await bootGated(elections, [Both])).get(Both);

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
    const app = await bootGated(byDefault, [Reporter], [gateModule(named, 'reports')]);
    const reporter = app.get(Reporter);
    named.win('jobs');

    reporter.here();
    reporter.there();

    expect(reporter.runs).toEqual(['there']);
  });
});
