import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../../../test/support/seeded-random.js';
import { serviceInstance } from '../../../../../test/support/service-instances.js';
import type { ChooseStrategy } from '../service-pool.js';
import { Candidate } from './candidate.js';
import { Candidates } from './candidates.js';
import { hashText } from '../../client/hash.js';
import { STRATEGY } from './strategies.js';
import { nearest } from './subset.js';

const random = new SeededRandom(11);

function candidates(count: number, weightOf: (index: number) => number = () => 1): Candidate[] {
  return Array.from({ length: count }, (_, index) => {
    const id = `i${String(index).padStart(4, '0')}`;
    return new Candidate(serviceInstance(id, { weight: weightOf(index) }), hashText('me'));
  });
}

function choose(set: Candidates, strategy: ChooseStrategy, key = '', now = 0): string {
  return STRATEGY[strategy](set, { random: () => random.next(), now, keyHash: hashText(key) }).id;
}

function counts(set: Candidates, strategy: ChooseStrategy, times: number): Map<string, number> {
  const found = new Map<string, number>();
  for (let time = 0; time < times; time += 1) {
    const id = choose(set, strategy, `key-${time}`);
    found.set(id, (found.get(id) ?? 0) + 1);
  }
  return found;
}

describe('round robin', () => {
  it('gives everybody who stays one turn a round, whoever comes and goes', () => {
    const changes = fc.array(fc.record({ at: fc.nat(40), index: fc.nat(19) }), { maxLength: 20 });
    fc.assert(
      fc.property(changes, (events) => {
        const all = candidates(20);
        const set = Candidates.of(all.filter((_, index) => index % 2 === 0));
        const present = new Set(all.filter((_, index) => index % 2 === 0).map(({ id }) => id));
        const stays = new Set(all.map(({ id }) => id));
        for (const { index } of events) stays.delete(all[index]!.id);
        const staying = [...present].filter((id) => stays.has(id));
        const seen: string[] = [];
        for (let turn = 0; turn < 60 && present.size > 0; turn += 1) {
          for (const { index } of events.filter(({ at }) => at === turn)) {
            const one = all[index]!;
            const isThere = present.has(one.id);
            if (isThere) present.delete(one.id);
            else present.add(one.id);
            set.update(new Map([[one.id, isThere ? null : one]]));
          }
          if (present.size === 0) break;
          const id = choose(set, 'round-robin');
          if (stays.has(id)) seen.push(id);
        }
        // In the order of their ids, round by round, none left out and none twice.
        seen.forEach((id, index) => expect(id).toBe(staying[index % staying.length]));
      }),
    );
  });
});

describe('weights', () => {
  for (const strategy of ['weighted', 'rendezvous', 'least-in-flight', 'power-of-two'] as const) {
    it(`give each its share, with ${strategy}`, () => {
      const set = Candidates.of(candidates(4, (index) => index + 1));
      const found = counts(set, strategy, 20_000);
      for (let index = 0; index < 4; index += 1) {
        expect(found.get(`i000${index}`)! / 20_000).toBeCloseTo((index + 1) / 10, 1);
      }
    });
  }
});

describe('least in flight', () => {
  it('goes where the least is on its way for the weight', () => {
    const all = candidates(3, (index) => (index === 2 ? 4 : 1));
    all.forEach((one, index) => (one.stats.inFlight = [2, 3, 4][index]!));
    expect(new Set(counts(Candidates.of(all), 'least-in-flight', 100).keys())).toEqual(
      new Set(['i0002']),
    );
  });
});

describe('power of two choices', () => {
  it('takes the better of two, and nearly never one that is ten times slower', () => {
    const all = candidates(5);
    all.forEach((one, index) => one.stats.succeeded(index === 0 ? 100 : 10, 0));
    const found = counts(Candidates.of(all), 'power-of-two', 5000);
    expect(found.get('i0000') ?? 0).toBe(0);
    expect(found.size).toBe(4);
  });

  it('leaves one with much in flight alone, and calls it anew when its latency is long ago', () => {
    const [quick, slow] = candidates(2) as [Candidate, Candidate];
    quick.stats.succeeded(10, 0);
    slow.stats.succeeded(30, 0);
    const set = Candidates.of([quick, slow]);
    expect(choose(set, 'power-of-two')).toBe(quick.id);
    quick.stats.inFlight = 5;
    expect(choose(set, 'power-of-two')).toBe(slow.id);
    quick.stats.inFlight = 0;
    quick.stats.succeeded(10, 20_000);
    expect(choose(set, 'power-of-two', '', 20_000)).toBe(slow.id);
  });
});

describe('rendezvous', () => {
  it('moves the keys of the one that goes, and no others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 30 }), fc.nat(29), fc.boolean(), (size, nth, even) => {
        const all = candidates(size, (index) => (even ? 1 : 1 + (index % 3)));
        const gone = all[nth % size]!;
        const before = Candidates.of(all);
        const after = Candidates.of(all.filter((one) => one !== gone));
        for (let key = 0; key < 100; key += 1) {
          const chosen = choose(before, 'rendezvous', `key-${key}`);
          if (chosen === gone.id) continue;
          expect(choose(after, 'rendezvous', `key-${key}`)).toBe(chosen);
        }
      }),
    );
  });

  it('spreads keys evenly, and finds the same instance whatever the process and its subset', () => {
    const all = candidates(10);
    const found = counts(Candidates.of(all), 'rendezvous', 10_000);
    for (const count of found.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
    const subset = new Candidates(3);
    subset.update(new Map(all.map((item) => [item.id, item])));
    for (let key = 0; key < 100; key += 1) {
      expect(choose(subset, 'rendezvous', `${key}`)).toBe(
        choose(Candidates.of(all), 'rendezvous', `${key}`),
      );
    }
  });
});

describe('subsets', () => {
  const of = (process: string, ids: readonly number[], size = 10) =>
    nearest(
      ids.map((id) => new Candidate(serviceInstance(`i${id}`), hashText(process))),
      size,
    ).map(({ id }) => id);
  const ids = Array.from({ length: 100 }, (_, index) => index);

  it('are of the size asked for, and a change moves one at most', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(99), (process, gone) => {
        const before = of(process, ids);
        expect(before).toHaveLength(10);
        const after = new Set(
          of(
            process,
            ids.filter((id) => id !== gone),
          ),
        );
        expect(before.filter((id) => !after.has(id)).length).toBe(
          before.includes(`i${gone}`) ? 1 : 0,
        );
      }),
    );
  });

  it('spread the processes over the instances', () => {
    const load = new Map<string, number>();
    for (let process = 0; process < 1000; process += 1) {
      for (const id of of(`process-${process}`, ids)) load.set(id, (load.get(id) ?? 0) + 1);
    }
    expect(load.size).toBe(100);
    for (const count of load.values()) expect(Math.abs(count - 100)).toBeLessThan(50);
  });
});
