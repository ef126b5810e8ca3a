import { Logger } from '@nestjs/common';
import { EMPTY, Observable, Subject, throwError } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { waitFor } from '../../../../../test/support/wait-for.js';
import { WatchStream } from '../watch-stream.js';
import { InvalidWatchError } from '../watch.errors.js';
import { batch } from './batch.js';
import type { Bounds } from './bounded-queue.js';
import { coalesce } from './coalesce.js';
import { inTurn } from './in-turn.js';
import { iterate } from './iterate.js';

interface Told {
  readonly key: string;
  readonly revision: bigint;
  readonly type?: 'delete';
}

const told = (key: string, revision: number, type?: 'delete'): Told => ({
  key,
  revision: BigInt(revision),
  ...(type && { type }),
});
const [a1, b2, a3, c3, a4] = [
  told('a', 1),
  told('b', 2),
  told('a', 3),
  told('c', 3),
  told('a', 4, 'delete'),
];
const all = { a: a1, b: b2, c: a3, d: c3, e: a4 };

function marbles(work: (scheduler: TestScheduler) => void): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run(() => work(scheduler));
}

describe('coalesce', () => {
  it('tells the newest of each key once a window, deletes too, in the order of revisions', () => {
    marbles((scheduler) => {
      const source = scheduler.createHotObservable('a-b-c----------d-(e|)', all);
      scheduler.expectObservable(source.pipe(coalesce<Told>(10))).toBe('----------(bc)---(de|)', {
        b: b2,
        c: a3,
        d: c3,
        e: a4,
      });
    });
  });

  it('tells what waits before an error, and nothing once nobody listens', () => {
    marbles((scheduler) => {
      const failing = scheduler.createHotObservable('a--#', all);
      scheduler.expectObservable(failing.pipe(coalesce<Told>(10))).toBe('---(a#)', all);
      const left = scheduler.createHotObservable('a-----', all);
      scheduler.expectObservable(left.pipe(coalesce<Told>(10)), '---!').toBe('------');
    });
  });
});

describe('batch', () => {
  it('tells so many at once, but never parts of a revision', () => {
    marbles((scheduler) => {
      const source = scheduler.createHotObservable('a-b-(cd)-e-|', all);
      scheduler
        .expectObservable(source.pipe(batch<Told>({ count: 3 })))
        .toBe('----a------(b|)', { a: [a1, b2, a3, c3], b: [a4] });
    });
  });

  it('begins another array with the next revision, although both came at once', () => {
    const source = new Subject<Told>();
    const arrays: Told[][] = [];
    source.pipe(batch<Told>({ count: 2 })).subscribe((array) => arrays.push(array));
    for (const event of [a1, a3, c3, a4]) source.next(event);
    expect(arrays).toEqual([[a1, a3, c3]]);
    source.complete();
    expect(arrays).toEqual([[a1, a3, c3], [a4]]);
  });

  it('tells what there is after a window', () => {
    marbles((scheduler) => {
      const source = scheduler.createHotObservable('a-b---------------#', all);
      scheduler
        .expectObservable(source.pipe(batch<Told>({ count: 100, windowMs: 10 })))
        .toBe('----------a-------#', { a: [a1, b2] });
    });
  });

  it.each([{}, { count: 0 }, { windowMs: -1 }, { count: Number.NaN }])('refuses %o', (options) => {
    expect(() => batch(options)).toThrow(InvalidWatchError);
  });

  it.each([{}, undefined, { overflow: 'eror' }, { overflow: 'error', limit: 0 }])(
    'and its like refuse to wait in bounds of %o',
    (bounds) => {
      const given = bounds as unknown as Bounds;
      expect(() => inTurn(() => undefined, given)).toThrow(InvalidWatchError);
      expect(() => iterate(new Subject<Told>(), given)).toThrow(InvalidWatchError);
    },
  );

  it.each([Number.NaN, -5, undefined])('and its like refuse a window of %o', (windowMs) => {
    expect(() => coalesce(windowMs as number)).toThrow(InvalidWatchError);
  });
});

describe('inTurn', () => {
  /** Work that ends when the test says so. */
  function slow() {
    const done: string[] = [];
    const ends: ((error?: Error) => void)[] = [];
    const work = (event: Told) =>
      new Promise<string>((resolve, reject) => {
        ends.push((error) => (error ? reject(error) : resolve(`${event.key}${event.revision}`)));
      });
    const finish = async (error?: Error) => {
      ends.shift()!(error);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { done, ends, work, finish };
  }

  it('does one at a time, in order, and completes when all is done', async () => {
    const { done, ends, work, finish } = slow();
    const source = new Subject<Told>();
    let completed = false;
    source.pipe(inTurn(work, { overflow: 'error' })).subscribe({
      next: (result) => done.push(result),
      complete: () => (completed = true),
    });
    for (const event of [a1, b2, a3]) source.next(event);
    source.complete();
    for (const count of [1, 2, 3]) {
      expect([ends.length, completed]).toEqual([1, false]);
      await finish();
      expect(done).toHaveLength(count);
    }
    expect(done).toEqual(['a1', 'b2', 'a3']);
    expect(completed).toBe(true);
  });

  it('goes on with the newest of each key when too many wait', async () => {
    const { done, ends, work, finish } = slow();
    const source = new Subject<Told>();
    source
      .pipe(inTurn(work, { limit: 2, overflow: 'coalesce' }))
      .subscribe((result) => done.push(result));
    for (const event of [told('x', 0), a1, b2, a3, c3, a4]) source.next(event);
    while (ends.length > 0) await finish();
    expect(done).toEqual(['x0', 'b2', 'c3', 'a4']);
    // It has caught up: all are told again.
    for (const event of [a1, a3, a4]) source.next(event);
    while (ends.length > 0) await finish();
    expect(done.slice(4)).toEqual(['a1', 'a3', 'a4']);
  });

  it('errors when too many wait, and leaves its source', async () => {
    const { ends, work, finish } = slow();
    const source = new Subject<Told>();
    let error: unknown;
    source.pipe(inTurn(work, { limit: 2, overflow: 'error' })).subscribe({
      error: (thrown) => (error = thrown),
    });
    for (const event of [a1, b2, a3]) source.next(event);
    expect(error).toBeUndefined();
    source.next(a4);
    expect(error).toMatchObject({ code: 'SLOW_CONSUMER', limit: 2 });
    expect(source.observed).toBe(false);
    await finish();
    expect(ends).toHaveLength(0);
  });

  it('errors with what the work rejects with, and does no more', async () => {
    const { ends, work, finish } = slow();
    const source = new Subject<Told>();
    let error: unknown;
    source.pipe(inTurn(work, { overflow: 'error' })).subscribe({
      error: (thrown) => (error = thrown),
    });
    source.next(a1);
    source.next(b2);
    await finish(new Error('broken'));
    expect(error).toMatchObject({ message: 'broken' });
    expect(ends).toHaveLength(0);
    expect(source.observed).toBe(false);
  });
});

describe('iterate', () => {
  it('gives each event, then ends', async () => {
    const source = new Subject<Told>();
    const seen: Told[] = [];
    const loop = (async () => {
      for await (const event of iterate(source, { overflow: 'error' })) seen.push(event);
    })();
    for (const event of [a1, b2, a3]) source.next(event);
    source.complete();
    await loop;
    expect(seen).toEqual([a1, b2, a3]);
  });

  it('lets go of its source however the loop is left', async () => {
    const source = new Subject<Told>();
    const loop = (async () => {
      for await (const event of iterate(source, { overflow: 'error' })) return event;
      return null;
    })();
    source.next(a1);
    expect(await loop).toEqual(a1);
    expect(source.observed).toBe(false);
  });

  it('throws after what waited when it is too slow, and lets go', async () => {
    const source = new Subject<Told>();
    const iterator = iterate(source, { limit: 2, overflow: 'error' })[Symbol.asyncIterator]();
    for (const event of [a1, b2, a3]) source.next(event);
    expect(source.observed).toBe(false);
    expect(await iterator.next()).toEqual({ done: false, value: a1 });
    expect(await iterator.next()).toEqual({ done: false, value: b2 });
    await expect(iterator.next()).rejects.toMatchObject({ code: 'SLOW_CONSUMER' });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('throws what the source errors with, at once or later', async () => {
    const failing = iterate<Told>(
      throwError(() => new Error('refused')),
      { overflow: 'coalesce' },
    );
    await expect(failing[Symbol.asyncIterator]().next()).rejects.toThrow('refused');
    const empty = iterate<Told>(EMPTY, { overflow: 'coalesce' });
    expect(await empty[Symbol.asyncIterator]().next()).toMatchObject({ done: true });
  });
});

describe('a subscriber that throws', () => {
  const logged = vi.fn<(text: string) => void>();
  beforeEach(() => {
    logged.mockReset();
    vi.spyOn(Logger.prototype, 'error').mockImplementation(logged);
  });
  afterEach(() => vi.restoreAllMocks());

  const rejecting = (): unknown => Promise.reject(new Error('my fault'));
  const lines = (count: number) =>
    waitFor(() => logged.mock.calls.length >= count, { what: `${count} logged line(s)` });
  const stream = () =>
    new WatchStream<Told>({ label: '"orders/"' }, (subscriber) => {
      for (const event of [a1, b2]) subscriber.next(event);
    });

  it.each([
    ['plainly', (source: Observable<Told>) => source],
    ['behind a window', (source: Observable<Told>) => source.pipe(coalesce<Told>(1))],
    [
      'behind its turn',
      (source: Observable<Told>) =>
        source.pipe(inTurn((event) => Promise.resolve(event), { overflow: 'error' })),
    ],
  ])('hurts nobody: it is logged with what it watches, and goes on, %s', async (_, piped) => {
    const seen: Told[] = [];
    piped(stream()).subscribe((event) => {
      seen.push(event);
      throw new Error('my fault');
    });
    piped(stream()).subscribe({
      next: rejecting,
    });
    await lines(4);
    expect(seen).toEqual([a1, b2]);
    expect(logged).toHaveBeenCalledTimes(4);
    expect(logged.mock.calls[0]![0]).toMatch(/"orders\/".*my fault/);
  });

  it('has an error that it does not handle logged, too', async () => {
    new WatchStream<Told>({ label: '"orders/"' }, (subscriber) =>
      subscriber.error(new Error('refused')),
    ).subscribe();
    await lines(1);
    expect(logged.mock.calls).toEqual([[expect.stringMatching(/"orders\/".*refused/)]]);
  });

  it('keeps the object of its callbacks, and may end itself in one', () => {
    const observer = {
      seen: 0,
      next(this: { seen: number }) {
        this.seen += 1;
        subscription.unsubscribe();
      },
    };
    const source = new Subject<Told>();
    const subscription = new WatchStream<Told>({ label: 'x' }, (subscriber) =>
      source.subscribe(subscriber),
    ).subscribe(observer);
    source.next(a1);
    source.next(b2);
    expect(observer.seen).toBe(1);
    expect(source.observed).toBe(false);
  });
});
