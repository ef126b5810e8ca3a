import { Injectable, Logger } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { FakeElections } from '../../../../test/support/fake-elections.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { currentTerm } from '../election/current-term.js';
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

describe('@OnElected and @OnRevoked', () => {
  it('follow the terms in order, one revocation for each election', async () => {
    const elections = new FakeElections();
    await bootHooked(elections, { providers: [HookedReconciler] });

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

    await bootHooked(elections, { providers: [HookedReconciler] });
    await turn();

    expect(events).toEqual([`start ${epoch} in ${epoch}`]);
  });

  it('are told of the end when the application ends', async () => {
    const elections = new FakeElections();
    const app = await bootHooked(elections, { providers: [HookedReconciler] });
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
      await bootHooked(elections, { providers: [HookedReconciler] });
      const term = elections.win('jobs');
      await turn();

      term.end('session-lost');
      elections.fallSilent('jobs', failure);
      await turn();

      expect(events.at(-1)).toBe(`stop ${term.epoch}: session-lost`);
      expect(error.mock.calls).toEqual(
        failure ? [['HookedReconciler can no longer be told of its terms.', failure]] : [],
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
    await bootHooked(elections, { providers: [Looping] });
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
    await bootHooked(elections, { providers: [CleaningUp, HookedReconciler] });
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
    await bootHooked(elections, { providers: [HookedReconciler] });

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
    await bootHooked(elections, { providers: [Failing, HookedReconciler] });
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
});
