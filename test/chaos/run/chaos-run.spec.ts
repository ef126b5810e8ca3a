import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, describe, expect, it } from 'vitest';
import { TrueHistory } from '../check/evidence-builder.js';
import type { Evidence } from '../check/evidence.js';
import type { ChaosWork } from '../works/work.js';
import { chaosRun, type Direction } from './chaos-run.js';
import { ChaosUsageError } from './chaos-usage.error.js';
import { FakeStage, fakeWork } from './fake-stage.js';
import { judgeAgain } from './kept-run.js';
import type { RunOptions } from './run-options.js';

const OPTIONS: RunOptions = { line: '3.5', system: 'ours', seconds: 0.05, seed: 1 };

function staged(given: Partial<ChaosWork> = {}): FakeStage {
  const stage = new FakeStage(fakeWork(given), new TrueHistory().put('a', 'x').truth);
  onTestFinished(() => rmSync(stage.folder, { recursive: true, force: true }));
  return stage;
}

async function run(stage: FakeStage, options: Partial<RunOptions> = {}, direction?: Direction) {
  const result = await chaosRun({ ...OPTIONS, ...options }, async () => stage, direction);
  const { folder } = result;
  if (folder !== null) onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return result;
}

describe('a run', () => {
  it('harms, heals, ends the processes, lists what is left, and stops everything', async () => {
    const stage = staged();
    const result = await run(stage);
    expect(stage.asked).toEqual(['harm', 'heal', 'finish', 'list', 'stop']);
    expect(result).toMatchObject({
      ...{ options: OPTIONS, etcdVersion: '3.5.30', folder: null, inconclusive: [] },
      violations: { watch: [], liveness: [] },
    });
    expect(result.faultMs).toBeGreaterThanOrEqual(50);
  });

  it('shows works all that is known, in the order of time', async () => {
    let seen: Evidence | null = null;
    const stage = staged({
      check: (evidence) => {
        seen = evidence;
        return {};
      },
    });
    stage.onHarm = (book) => {
      book.note({ type: 'fault-over', fault: 'k', hit: true }, 20);
      book.note({ type: 'fault-begun', fault: 'k', kind: 'kill holder', targets: ['0.0'] }, 10);
    };
    const { faults } = await run(stage);
    expect(seen).toMatchObject({
      ...{
        survivors: ['0.0'],
        compactions: stage.compactions,
        ttlMs: 2000,
        healedAt: expect.any(Number),
      },
      ...{ truth: stage.events, finalList: stage.events, ends: new Map([['0.0', 0]]) },
    });
    expect(seen!.notesOf('nemesis').map(({ type }) => type)).toEqual([
      ...['fault-begun', 'fault-over', 'healed'],
    ]);
    expect(faults).toEqual({ 'kill holder': { begun: 1, hit: 1 } });
  });

  it('calls it a violation of liveness what does not come right within its bound', async () => {
    let looks = 0;
    const slow = staged({ awaited: () => ((looks += 1) < 3 ? ['It is not there.'] : []) });
    expect((await run(slow)).violations.liveness).toEqual([]);
    const never = staged({ awaited: () => ['It is not there.'], recoveryBoundMs: () => 10 });
    expect((await run(never)).violations.liveness).toEqual([
      'fake, 10 ms after the healing: It is not there.',
    ]);
  });

  it('is inconclusive if faults hit nobody, or the run itself missed something', async () => {
    const stage = staged({ inconclusive: () => ['There were 0 things.'] });
    stage.faults.push({ kind: 'kill leader', leastPerMinute: 3600 });
    stage.problems.push('The fault failed.');
    stage.truth.missed.push('Something was compacted.');
    stage.onHarm = (book) => {
      book.note({ type: 'fault-begun', fault: 'k', kind: 'kill leader', targets: [] });
      book.note({ type: 'fault-over', fault: 'k', hit: false });
    };
    const { inconclusive, folder } = await run(stage);
    expect(inconclusive).toEqual([
      'There were 0 things.',
      expect.stringMatching(/^"kill leader" hit 0 times, and must at least \d+ times\.$/),
      'Something was compacted.',
      'The fault failed.',
    ]);
    expect(folder).not.toBeNull();
  });

  it('ends the harm when it is told to, and judges all the same', async () => {
    const stage = staged();
    const result = await run(stage, { seconds: 600 }, { signal: AbortSignal.abort() });
    expect(result.faultMs).toBeLessThan(600_000);
    expect(stage.asked.at(-1)).toBe('stop');
  });

  it('stops everything even if it fails', async () => {
    const stage = staged({
      check: () => {
        throw new Error('a mistake in a rule');
      },
    });
    const error: Error = await run(stage).then(
      () => expect.fail('It did not reject.'),
      (reason: unknown) => reason as Error,
    );
    expect(stage.asked.at(-1)).toBe('stop');
    const [, folder] = / its notes are in (.+): a mistake in a rule$/.exec(
      error.message,
    ) as unknown as [string, string];
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    expect(readFileSync(join(folder, '0.0.jsonl'), 'utf8')).toContain('started');
  });

  it('is inconclusive if a process had not started when all was healed', async () => {
    const stage = new FakeStage(fakeWork(), [], { starts: false });
    onTestFinished(() => rmSync(stage.folder, { recursive: true, force: true }));
    const { inconclusive } = await run(stage, {}, { startMs: 20 });
    expect(inconclusive).toEqual(['Process 0.0 had not started 20 ms after the healing.']);
  });
});

describe('the notes of a run', () => {
  it('are kept if a promise was broken, and give the same judgement again', async () => {
    const check: ChaosWork['check'] = ({ truth, finalList, notesOf, killed }) => ({
      watch: [`${truth[0]!.revision} ${finalList[0]!.key} ${[...killed].join()}`],
      loss: notesOf('life').map(({ process, type }) => `${process} ${type}`),
    });
    const stage = staged({ check });
    const result = await run(stage);
    expect(result.violations).toMatchObject({ watch: ['2 a 1.0'], loss: ['0.0 started'] });
    expect(result.folder).not.toBe(stage.folder);
    expect(judgeAgain(result.folder!, stage.works)).toEqual(result);
    const milder = [fakeWork()];
    expect(judgeAgain(result.folder!, milder).violations).toEqual({ watch: [], liveness: [] });
  });

  it('cannot be judged again where there are none', () => {
    expect(() => judgeAgain('/nowhere', [])).toThrow(ChaosUsageError);
    expect(() => judgeAgain('/nowhere', [])).toThrow(/no run in \/nowhere/);
  });
});
