import fc from 'fast-check';
import { Subject, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { batch } from './batch.js';
import { BoundedQueue } from './bounded-queue.js';
import { coalesce } from './coalesce.js';

interface Event {
  readonly key: string;
  readonly revision: bigint;
}

/** Events in order, some of which share a revision, with pauses between those that do not. */
const events = fc
  .array(
    fc.record({
      key: fc.constantFrom<string>('a', 'b', 'c', 'd'),
      pauseMs: fc.constantFrom(0, 0, 3, 10, 40),
      sameRevision: fc.boolean(),
    }),
    { maxLength: 30 },
  )
  .map((all) => {
    let [at, revision] = [0, 1n];
    return all.map(({ key, pauseMs, sameRevision }) => {
      const joins = sameRevision && revision > 1n;
      if (!joins) [at, revision] = [at + pauseMs, revision + 1n];
      return { at, event: { key, revision } };
    });
  });

/** Tells the events at their moments, then completes. */
function play(all: readonly { readonly at: number; readonly event: Event }[]) {
  const scheduler = new VirtualTimeScheduler();
  const source = new Subject<Event>();
  for (const { at, event } of all) scheduler.schedule(() => source.next(event), at);
  return {
    ...{ source, scheduler },
    end: () => {
      scheduler.flush();
      source.complete();
    },
  };
}

const newest = (all: readonly Event[]) => new Map(all.map((event) => [event.key, event]));

describe('coalesce', () => {
  it('tells the newest event of every key, in the order in which they came, once a window', () => {
    fc.assert(
      fc.property(events, fc.constantFrom(0, 5, 25), (all, windowMs) => {
        const { source, scheduler, end } = play(all);
        const told: { readonly at: number; readonly event: Event }[] = [];
        source.pipe(coalesce<Event>(windowMs, scheduler)).subscribe((event) => {
          told.push({ at: scheduler.now(), event });
        });
        end();
        const came = all.map(({ event }) => event);
        const order = told.map(({ event }) => came.indexOf(event));
        expect(order).toEqual([...order].sort((a, b) => a - b));
        expect(newest(told.map(({ event }) => event))).toEqual(newest(came));
        for (const { at, event } of told) {
          const cameAt = all.find((one) => one.event === event)!.at;
          expect(at - cameAt).toBeLessThanOrEqual(windowMs);
          const sameMoment = told.filter((one) => one.at === at && one.event.key === event.key);
          if (windowMs > 0) expect(sameMoment).toHaveLength(1);
        }
      }),
    );
  });
});

describe('batch', () => {
  it('tells every event once, in order, and those of a revision together', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 5 }), (all, count) => {
        const { source, scheduler, end } = play(all);
        const told: Event[][] = [];
        source.pipe(batch({ count, windowMs: 20 }, scheduler)).subscribe((one) => told.push(one));
        end();
        expect(told.flat()).toEqual(all.map(({ event }) => event));
        for (const [index, one] of told.slice(1).entries()) {
          expect(one.length).toBeGreaterThan(0);
          // A window may end between events of a revision only if they were not told in one go.
          expect(told[index]!.at(-1)!.revision).not.toBe(one[0]!.revision);
        }
      }),
    );
  });
});

describe('a bounded queue', () => {
  const step = fc.oneof(
    fc.constantFrom('a', 'b', 'c', 'd').map((key) => ({ key })),
    fc.constant('take' as const),
  );

  it('that coalesces gives events in order, the newest of each key for certain, and keeps no more than it may', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 6 }),
        (steps, limit) => {
          const queue = new BoundedQueue<Event>({ limit, overflow: 'coalesce' });
          const pushed: Event[] = [];
          const taken: Event[] = [];
          const take = () => {
            const event = queue.shift();
            if (event) taken.push(event);
            return event;
          };
          for (const one of steps) {
            if (one === 'take') take();
            else {
              pushed.push({ key: one.key, revision: BigInt(pushed.length + 1) });
              queue.push(pushed.at(-1)!);
            }
          }
          let left = 0;
          while (take()) left += 1;
          expect(left).toBeLessThanOrEqual(Math.max(limit, 4));
          const order = taken.map(({ revision }) => Number(revision));
          expect(order).toEqual([...order].sort((a, b) => a - b));
          expect(newest(taken)).toEqual(newest(pushed));
        },
      ),
    );
  });

  it('with enough room gives everything', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b'), { maxLength: 20 }), (keys) => {
        const queue = new BoundedQueue<Event>({ limit: 20, overflow: 'error' });
        const all = keys.map((key, index) => ({ key, revision: BigInt(index) }));
        for (const event of all) queue.push(event);
        expect(all.map(() => queue.shift())).toEqual(all);
        expect(queue.shift()).toBeUndefined();
      }),
    );
  });
});
