import { Logger } from '@nestjs/common';
import { BehaviorSubject } from 'rxjs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../client/clock.js';
import type { ReleaseTerm } from '../config/release/release-leadership.js';
import { currentFence } from '../context/ownership-context.js';
import { CandidacyEndedError } from '../election/candidacy-ended.error.js';
import type { LeaderTerm } from '../election/leader-term.js';
import { ElectedReleases } from './elected-releases.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** One election, won and lost as the test says. */
class Election {
  readonly terms = new BehaviorSubject<LeaderTerm | null>(null);
  readonly log: string[] = [];
  joining: Promise<void> = Promise.resolve();
  private epoch = 0n;

  term$ = () => this.terms as never;
  join = (name: string) => {
    this.log.push(`joined ${name}`);
    return this.joining;
  };
  leave = async (name: string) => {
    this.log.push(`left ${name}`);
    this.terms.next(null);
  };

  win(): { end(): void; fence: LeaderTerm['fence'] } {
    const ending = new AbortController();
    const epoch = (this.epoch += 1n);
    const fence = { resource: 'e', key: 'k', revision: epoch, token: epoch };
    const term: LeaderTerm = {
      ...{ election: 'e', epoch, fence, signal: ending.signal },
      isValid: () => !ending.signal.aborted,
      remainingMs: () => 1000,
      resign: async () => {
        this.log.push(`resigned ${epoch}`);
        ending.abort();
        this.terms.next(null);
      },
    };
    this.terms.next(term);
    return { end: () => (ending.abort(), this.terms.next(null)), fence };
  }
}

describe('the election of who controls a release', () => {
  let election: Election;
  let errors: unknown[][];

  beforeEach(() => {
    vi.restoreAllMocks();
    election = new Election();
    errors = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined).mock.calls;
  });

  function lead(run: (term: ReleaseTerm) => Promise<void>) {
    return new ElectedReleases(election, systemClock).lead('e', run);
  }
  const untilAborted = ({ signal }: ReleaseTerm) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

  it('gives the control to each term that is won, with its fence, and ends it with the term', async () => {
    const runs: ReleaseTerm[] = [];
    const { stop } = lead(async (term) => {
      runs.push(term);
      expect(currentFence()).toEqual(term.fence);
      await untilAborted(term);
    });
    const first = election.win();
    first.end();
    await turn();
    const second = election.win();

    expect(runs.map(({ fence }) => fence)).toEqual([first.fence, second.fence]);
    expect(runs.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(election.log).toEqual(['joined e']);
    await stop();
  });

  it('gives a term up whose control has ended, and goes on with the next one', async () => {
    let runs = 0;
    lead(async () => void (runs += 1));
    election.win();
    await turn();
    election.win();
    await turn();

    expect(runs).toBe(2);
    expect(election.log).toEqual(['joined e', 'resigned 1', 'resigned 2']);
  });

  it('logs a control that fails, and gives its term up', async () => {
    lead(() => Promise.reject(new Error('out of luck')));
    election.win();
    await turn();

    expect(election.log).toEqual(['joined e', 'resigned 1']);
    expect(String(errors[0])).toMatch(/elected by "e" with epoch 1, failed.*out of luck/);
  });

  it('ends the control before it leaves, once', async () => {
    const { stop } = lead(async (term) => {
      await untilAborted(term);
      await turn();
      election.log.push('control ended');
    });
    election.win();
    await Promise.all([stop(), stop()]);

    expect(election.log).toEqual(['joined e', 'control ended', 'left e']);
    election.win();
    await turn();
    expect(election.log).toHaveLength(3);
  });

  it('says that it cannot stand, but not that it was left before it did', async () => {
    election.joining = Promise.reject(new CandidacyEndedError('e', 'the election was left'));
    lead(async () => undefined);
    await turn();
    expect(errors).toEqual([]);

    election.joining = Promise.reject(new Error('no permission'));
    lead(async () => undefined);
    await turn();
    expect(String(errors[0])).toMatch(/does not stand in the election "e".*no permission/);
  });
});
