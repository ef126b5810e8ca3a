import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { FakeElections } from '../../../../test/support/fake-elections.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { InvalidElectionNameError } from './election-name.js';
import { CoordinationModuleMissingError } from '../nest/coordination-module-missing.error.js';
import { Leader } from './leader.decorator.js';
import {
  bootGated,
  closeAppsAfterEach,
  LeaderWorker,
} from '../../../../test/support/leader-stage.js';

closeAppsAfterEach();

describe('@Leader where it cannot work', () => {
  it('fails the start without the module, and says what to import', async () => {
    const starting = Test.createTestingModule({ providers: [LeaderWorker] }).compile();

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

    await expect(bootGated(new FakeElections(), [Reporter])).rejects.toThrow(
      /EtcdCoordinationModule\.forRoot\(\{ connection: 'reports', \.\.\. \}\)/,
    );
  });

  it('refuses the call on an object that Nest did not build', async () => {
    const worker = new LeaderWorker();

    expect(() => worker.note('a')).toThrow(CoordinationModuleMissingError);
    await expect(worker.noteLater('a')).rejects.toThrow(
      /LeaderWorker\.noteLater\(\) is gated by @Leader.*import EtcdCoordinationModule\.forRoot/,
    );
    expect(worker.runs).toEqual([]);
  });

  it('refuses the call of a detached method', async () => {
    const { note } = (await bootGated(new FakeElections(), [LeaderWorker])).get(LeaderWorker);

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
