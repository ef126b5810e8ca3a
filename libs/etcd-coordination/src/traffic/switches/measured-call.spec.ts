import { status } from '@grpc/grpc-js';
import { NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { of, Subject, throwError } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { CallWindow } from './call-window.js';
import { measuredCall } from './measured-call.js';

/** Runs whenever somebody waits for it, as those of query builders do. */
class LazyQuery {
  // oxlint-disable-next-line unicorn/no-thenable
  constructor(readonly then: () => void) {}
}

describe('a measured call', () => {
  let clock: VirtualClock;
  let window: CallWindow;
  const failing = new Error('no answer');

  beforeEach(() => {
    clock = new VirtualClock();
    window = new CallWindow(clock.now(), 10_000, 100);
  });

  const measured = <T>(work: () => T): T => measuredCall(window, clock, work);
  const tally = () => window.tally(clock.now());

  it('counts what returns, and what throws, at once', () => {
    expect(measured(() => 7)).toBe(7);
    expect(() =>
      measured(() => {
        clock.freeze(101);
        throw failing;
      }),
    ).toThrow(failing);
    expect(tally()).toEqual({ calls: 2, failed: 1, slow: 1, heldUp: 0 });
  });

  it('counts a promise when it settles', async () => {
    let settle!: (value: number) => void;
    const promise = measured(() => new Promise<number>((resolve) => (settle = resolve)));
    expect(tally().calls).toBe(0);
    clock.freeze(101);
    settle(7);
    expect(await promise).toBe(7);
    await expect(measured(() => Promise.reject(failing))).rejects.toBe(failing);
    expect(tally()).toEqual({ calls: 2, failed: 1, slow: 1, heldUp: 0 });
  });

  it('leaves a rejection that nobody handles one', async () => {
    const unhandled = new Promise((resolve) => process.once('unhandledRejection', resolve));
    void measured(() => Promise.reject(failing));
    expect(await unhandled).toBe(failing);
  });

  it('counts each subscription of an Observable, to its first value', () => {
    const values = measured(() => of(1, 2, 3));
    expect(tally().calls).toBe(0);
    const seen: number[] = [];
    values.subscribe((value) => void seen.push(value));
    values.subscribe();
    expect(seen).toEqual([1, 2, 3]);
    measured(() => throwError(() => failing)).subscribe({ error: () => undefined });
    expect(tally()).toMatchObject({ calls: 3, failed: 1 });
    const source = new Subject<number>();
    const left = measured(() => source).subscribe();
    left.unsubscribe();
    expect(source.observed).toBe(false);
    clock.freeze(5000);
    window.advance(clock.now());
    clock.freeze(1000);
    // Whoever has gone is not waited for.
    expect(tally()).toMatchObject({ calls: 3, slow: 0 });
  });

  it('asks nothing of what would run by that', () => {
    let runs = 0;
    const query = new LazyQuery(() => (runs += 1));
    expect(measured(() => query)).toBe(query);
    const lines = measured(async function* () {
      yield await Promise.resolve(1);
    });
    expect(typeof lines.next).toBe('function');
    expect(runs).toBe(0);
    // Nor is it taken for well.
    expect(tally().calls).toBe(0);
  });

  it('takes no fault of the caller for a failure', () => {
    const fails = (error: unknown) => {
      const before = tally().failed;
      expect(() => measured(() => raise(error))).toThrow();
      return tally().failed > before;
    };
    const overloaded = { status: 425, message: 'too early' };
    for (const error of [failing, new ServiceUnavailableException(), overloaded]) {
      expect(fails(error)).toBe(true);
    }
    const missing = Object.assign(new Error('none'), { code: status.NOT_FOUND, details: 'none' });
    const aborted = new DOMException('gone', 'AbortError');
    for (const error of [new NotFoundException(), missing, aborted]) {
      expect(fails(error)).toBe(false);
    }
  });
});

function raise(error: unknown): never {
  throw error;
}
