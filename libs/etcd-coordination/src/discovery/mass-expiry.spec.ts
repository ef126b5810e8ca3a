import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_PROTECTION } from './discovery-options.js';
import { MassExpiry, type Moves } from './mass-expiry.js';

const { windowMs, holdMs } = DEFAULT_PROTECTION;

function moves(some: Partial<Moves>): Moves {
  return { came: [], left: [], lost: [], back: [], ...some };
}

function ids(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `i${from + index}`);
}

function guardOf(
  population: number,
  options: typeof DEFAULT_PROTECTION | false = DEFAULT_PROTECTION,
) {
  const guard = new MassExpiry(options);
  guard.begin(population);
  return guard;
}

describe('the protection against mass expiry', () => {
  it('believes losses one at a time at once', () => {
    const guard = guardOf(10);
    for (const [index, id] of ids(10).entries()) {
      const judged = guard.take(moves({ lost: [id] }), index * (windowMs + 1));
      expect(judged.kept).toEqual([]);
    }
  });

  it('keeps 500 that are lost at once, and tells it once', () => {
    const guard = guardOf(500);
    const judged = guard.take(moves({ lost: ids(500) }), 0);
    expect(judged.kept).toEqual(ids(500));
    expect(judged.began).toEqual({ lost: 500, of: 500 });
    expect(guard.isKept('i0')).toBe(true);
  });

  it('brings those back that it believed while too few were lost', () => {
    const guard = guardOf(10);
    for (const [index, id] of ids(5).entries()) {
      expect(guard.take(moves({ lost: [id] }), index).kept).toEqual([]);
    }
    const judged = guard.take(moves({ lost: ['i5'] }), 5);
    expect(judged.kept).toEqual(ids(6));
    expect(judged.began).toEqual({ lost: 6, of: 10 });
  });

  it('goes on with those that are lost later, while more are missing than may be', () => {
    const guard = guardOf(100);
    guard.take(moves({ lost: ids(60) }), 0);
    const later = guard.take(moves({ lost: ids(5, 60) }), windowMs * 2);
    expect(later.kept).toEqual(ids(5, 60));
    expect(later.began).toBeNull();
  });

  it('does not count farewells, and believes what happens beside them', () => {
    const guard = guardOf(10);
    expect(guard.take(moves({ left: ids(6) }), 0).kept).toEqual([]);
    expect(guard.take(moves({ lost: ids(4, 6) }), 1).kept).toEqual([]);
  });

  it('believes few losses, however great their share', () => {
    expect(guardOf(4).take(moves({ lost: ids(4) }), 0).kept).toEqual([]);
  });

  it('ends for one that registers again, and says when it is over', () => {
    const guard = guardOf(5);
    guard.take(moves({ lost: ids(5) }), 0);
    expect(guard.take(moves({ came: ['i0'] }), 1).ended).toBeNull();
    expect([guard.isKept('i0'), guard.isKept('i1')]).toEqual([false, true]);
    expect(guard.take(moves({ came: ids(3, 1) }), 2).ended).toBeNull();
    expect(guard.take(moves({ back: ['i4'] }), 3).ended).toEqual({ returned: 5, givenUp: 0 });
  });

  it('gives up those that have not registered again in time', () => {
    const guard = guardOf(5);
    guard.take(moves({ lost: ids(5) }), 0);
    expect(guard.nextAt).toBe(holdMs);
    expect(guard.take(moves({}), holdMs - 1).released).toEqual([]);
    const judged = guard.take(moves({}), holdMs);
    expect(judged.released).toEqual(ids(5));
    expect(judged.ended).toEqual({ returned: 0, givenUp: 5 });
    expect(guard.nextAt).toBe(Infinity);
  });

  it('can be turned off', () => {
    const guard = guardOf(500, false);
    const judged = guard.take(moves({ lost: ids(500) }), 0);
    expect(judged).toMatchObject({ kept: [], forgotten: ids(500), began: null });
  });

  it('never believes a loss of more than the share within a window, nor keeps what is less', () => {
    const steps = fc.array(
      fc.record({
        after: fc.integer({ min: 0, max: 4000 }),
        lost: fc.integer({ min: 1, max: 20 }),
      }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 100 }), steps, (population, events) => {
        const guard = guardOf(population);
        const believed = new Map<string, number>();
        let [now, next] = [0, 0];
        for (const { after, lost } of events) {
          now += after;
          const gone = ids(Math.min(lost, population - next), next);
          next += gone.length;
          if (gone.length === 0) break;
          for (const id of gone) believed.set(id, now);
          for (const id of guard.take(moves({ lost: gone }), now).kept) believed.delete(id);
          const recent = [...believed.values()].filter((at) => at > now - windowMs).length;
          const before = population - [...believed.values()].length + recent;
          const missing = recent + guard.size;
          if (guard.size === 0) expect(missing <= before / 2 || missing < 5).toBe(true);
          else expect(recent).toBe(0);
        }
      }),
    );
  });
});
