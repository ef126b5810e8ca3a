import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../../test/support/seeded-random.js';
import { serviceInstance } from '../../../../test/support/service-instances.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { readDiscoveryOptions } from './validate-discovery-options.js';
import { Fleet } from './fleet.js';
import type { ChooseOptions } from './service-pool.js';

const SLOW_START_MS = 30_000;

/** A fleet and its clock. */
class Stage {
  now = 0;
  readonly fleet: Fleet;
  private readonly known = new Map<string, ServiceInstance>();

  constructor(options: object = {}, zone: string | null = null, instanceId = 'me') {
    const random = new SeededRandom(7);
    const owner = { instanceId, zone, random: () => random.next() };
    this.fleet = new Fleet(owner, readDiscoveryOptions(options));
  }

  list(...instances: ServiceInstance[]): this {
    this.change(instances, true);
    return this;
  }

  change(instances: (ServiceInstance | string)[], isList = false): void {
    const changes = instances.map((after) => {
      const id = typeof after === 'string' ? after : after.id;
      const before = this.known.get(id) ?? null;
      if (typeof after === 'string') this.known.delete(id);
      else this.known.set(id, after);
      return { id, before, after: typeof after === 'string' ? null : after };
    });
    this.fleet.apply({ changes, isList }, this.now);
  }

  choose(options?: ChooseOptions): string | null {
    return this.fleet.choose(options, this.now)?.id ?? null;
  }

  /** How often each was chosen. */
  count(times: number, options?: ChooseOptions): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let time = 0; time < times; time += 1) {
      const id = String(this.choose(options));
      counts[id] = (counts[id] ?? 0) + 1;
    }
    return counts;
  }

  /** A call of that instance, which has to be chosen by force: all others are excluded. */
  call(id: string, how: 'succeeded' | 'failed' | 'abandoned', tookMs = 5): void {
    const others = new Set([...this.known.keys()].filter((other) => other !== id));
    const candidate = this.fleet.choose({ exclude: others, strategy: 'random' }, this.now)!;
    expect(candidate.id).toBe(id);
    this.fleet.began(candidate, this.now);
    this.now += tookMs;
    this.fleet.ended(candidate, how, this.now - tookMs, this.now);
  }

  fail(id: string, times = 5): void {
    for (let time = 0; time < times; time += 1) this.call(id, 'failed');
  }
}

function up(...ids: string[]): ServiceInstance[] {
  return ids.map((id) => serviceInstance(id));
}

const ROUND_ROBIN = { strategy: 'round-robin' } as const;

describe('who can be chosen', () => {
  it('is who is up', () => {
    const stage = new Stage().list(
      ...up('a'),
      serviceInstance('b', { state: 'draining' }),
      serviceInstance('c', { state: 'down' }),
      serviceInstance('d', { state: 'starting' }),
    );
    expect(stage.count(20)).toEqual({ a: 20 });
    stage.change([serviceInstance('a', { state: 'down' })]);
    expect(stage.choose()).toBeNull();
    expect(stage.fleet.describe()).toBe(
      'of its instances there are 1 starting, 1 draining, 2 down',
    );
  });

  it('is nobody who is excluded', () => {
    const stage = new Stage().list(...up('a', 'b', 'c'));
    for (const strategy of ['random', 'round-robin', 'least-in-flight', 'weighted'] as const) {
      expect(stage.count(20, { strategy, exclude: new Set(['a', 'c']) })).toEqual({ b: 20 });
    }
    expect(stage.choose({ exclude: new Set(['a', 'b', 'c']) })).toBeNull();
    expect(stage.fleet.describe({ exclude: new Set(['a', 'b', 'c']) })).toBe(
      'of its instances there are 3 up, of which 3 excluded by the caller',
    );
  });

  it('is one that is protected only if there is nobody else', () => {
    const kept = [1, 2].map((n) => serviceInstance(`kept${n}`, { isProtected: true }));
    const stage = new Stage().list(...up('a'), ...kept);
    expect(stage.count(20)).toEqual({ a: 20 });
    stage.change(['a']);
    expect(stage.count(20, ROUND_ROBIN)).toEqual({ kept1: 10, kept2: 10 });
  });
});

describe('who only a prober finds down', () => {
  const found = (id: string, ...sources: string[]) => {
    const own = { state: 'up', source: 'instance', by: id, reason: null } as const;
    const words = sources.map((source) => ({ ...own, state: 'down' as const, source, by: 'p' }));
    return serviceInstance(id, { state: 'down', words: [own, ...words] });
  };

  it('is called where nobody is up, and not before', () => {
    const stage = new Stage().list(...up('a'), found('b', 'probe'), found('c', 'probe'));
    expect(stage.count(20)).toEqual({ a: 20 });
    stage.change(['a']);
    expect(Object.keys(stage.count(40, ROUND_ROBIN)).toSorted()).toEqual(['b', 'c']);
  });

  it('is not called if it says so itself, or somebody marks it', () => {
    const ill = serviceInstance('ill', { state: 'down' });
    const stage = new Stage().list(ill, found('marked', 'probe', 'operator'));
    expect(stage.choose()).toBeNull();
  });
});

describe('ejection', () => {
  it('comes after five failures in a row, and is over after one good trial', () => {
    const stage = new Stage({ slowStartMs: 0 }).list(...up('a', 'b', 'c'));
    stage.fail('a', 4);
    stage.call('a', 'succeeded');
    stage.fail('a', 4);
    expect(stage.count(30, ROUND_ROBIN)).toHaveProperty('a', 10);
    stage.fail('a', 1);
    expect(stage.count(30, ROUND_ROBIN)).toEqual({ b: 15, c: 15 });
    stage.now += 4999;
    expect(stage.count(30, ROUND_ROBIN)).not.toHaveProperty('a');
    stage.now += 1;
    const others = { exclude: new Set(['b', 'c']) };
    const trial = stage.fleet.choose(others, stage.now)!;
    expect(trial.id).toBe('a');
    stage.fleet.began(trial, stage.now);
    expect(stage.count(30, ROUND_ROBIN)).not.toHaveProperty('a');
    stage.fleet.ended(trial, 'succeeded', stage.now, stage.now);
    expect(stage.count(30, ROUND_ROBIN)).toHaveProperty('a', 10);
  });

  it('is longer each time, and a trial that was given up is made anew', () => {
    const stage = new Stage({ slowStartMs: 0 }).list(...up('a', 'b', 'c'));
    stage.fail('a', 5);
    stage.now += 5000;
    stage.call('a', 'abandoned');
    stage.call('a', 'failed');
    stage.now += 9999;
    expect(stage.count(30, ROUND_ROBIN)).not.toHaveProperty('a');
    stage.now += 1;
    expect(stage.count(30, ROUND_ROBIN)).toHaveProperty('a', 10);
  });

  it('never takes more than half, one of two, and never the only one', () => {
    const four = new Stage().list(...up('a', 'b', 'c', 'd'));
    for (const id of ['a', 'b', 'c']) four.fail(id);
    expect(Object.keys(four.count(40, ROUND_ROBIN)).sort()).toEqual(['c', 'd']);
    const two = new Stage().list(...up('a', 'b'));
    two.fail('b');
    two.fail('a');
    expect(two.count(10, ROUND_ROBIN)).toEqual({ a: 10 });
    const one = new Stage().list(...up('a'));
    one.fail('a');
    expect(one.choose()).toBe('a');
  });

  it('leaves the ejected for when there is nobody else', () => {
    const stage = new Stage().list(...up('a', 'b'));
    stage.fail('a');
    stage.change([serviceInstance('b', { state: 'down' })]);
    expect(stage.choose()).toBe('a');
  });

  it('can be turned off', () => {
    const stage = new Stage({ ejection: false }).list(...up('a', 'b'));
    stage.fail('a', 50);
    expect(stage.count(10, ROUND_ROBIN)).toEqual({ a: 5, b: 5 });
  });
});

describe('slow start', () => {
  /** The share of `x` beside nine others, against what it would get with its whole share. */
  const rampOf = (stage: Stage, options: ChooseOptions) =>
    (stage.count(20_000, options)['x'] ?? 0) / 2000;

  for (const strategy of ['round-robin', 'random', 'weighted', 'least-in-flight'] as const) {
    it(`ramps one that is new from a tenth to its whole share, with ${strategy}`, () => {
      const stage = new Stage().list(...up('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'));
      stage.change(up('x'));
      expect(rampOf(stage, { strategy })).toBeCloseTo(0.1, 1);
      stage.now += SLOW_START_MS / 2;
      expect(rampOf(stage, { strategy })).toBeCloseTo(0.55, 0);
      stage.now += SLOW_START_MS / 2;
      expect(rampOf(stage, { strategy })).toBeCloseTo(1, 1);
    });
  }

  it('is for one that was down, or ejected, but not for one that resumes or is of the first list', () => {
    const stage = new Stage().list(
      ...up('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'),
      serviceInstance('x', { state: 'down' }),
    );
    stage.change(up('x'));
    expect(rampOf(stage, ROUND_ROBIN)).toBeCloseTo(0.1, 1);
    stage.now += SLOW_START_MS;
    stage.change([serviceInstance('x', { state: 'draining' })]);
    stage.change(up('x'));
    expect(rampOf(stage, ROUND_ROBIN)).toBeCloseTo(1, 1);
    stage.fail('x');
    stage.now += 5000;
    stage.call('x', 'succeeded');
    expect(rampOf(stage, ROUND_ROBIN)).toBeCloseTo(0.1, 1);
  });

  it('is for a new process under an old id, but not for one that was protected', () => {
    const stage = new Stage().list(...up('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'x'));
    stage.change([serviceInstance('x', { createRevision: 2n })]);
    expect(rampOf(stage, ROUND_ROBIN)).toBeCloseTo(0.1, 1);
    stage.now += SLOW_START_MS;
    stage.change([serviceInstance('x', { createRevision: 2n, isProtected: true })]);
    stage.change([serviceInstance('x', { createRevision: 3n })]);
    expect(rampOf(stage, ROUND_ROBIN)).toBeCloseTo(1, 1);
  });

  it('holds nobody back when all are fresh, and can be turned off', () => {
    const fresh = new Stage().list();
    fresh.change(up('a', 'b'));
    expect(fresh.count(10, ROUND_ROBIN)).toEqual({ a: 5, b: 5 });
    const off = new Stage({ slowStartMs: 0 }).list(...up('a'));
    off.change(up('b'));
    expect(off.count(10, ROUND_ROBIN)).toEqual({ a: 5, b: 5 });
  });
});

describe('zones', () => {
  const inZone = (zone: string, count: number, some: Partial<ServiceInstance> = {}) =>
    Array.from({ length: count }, (_, index) =>
      serviceInstance(`${zone}${index}`, { zone, ...some }),
    );
  const shareOf = (counts: Record<string, number>, zone: string) => {
    const all = Object.entries(counts);
    const sum = (entries: typeof all) => entries.reduce((total, [, count]) => total + count, 0);
    return sum(all.filter(([id]) => id.startsWith(zone))) / sum(all);
  };

  it('keeps calls in the own zone, or the one that is asked for', () => {
    const stage = new Stage({}, 'a').list(...inZone('a', 5), ...inZone('b', 5));
    expect(shareOf(stage.count(200), 'a')).toBe(1);
    expect(shareOf(stage.count(200, { zone: 'b' }), 'b')).toBe(1);
    expect(shareOf(stage.count(200, { zone: 'none' }), 'a')).toBeLessThan(1);
  });

  it('lets a part go elsewhere when too few of the zone are healthy, and all when none is', () => {
    const stage = new Stage({}, 'a').list(...inZone('a', 10), ...inZone('b', 10));
    stage.change(inZone('a', 3, { state: 'down' }));
    expect(shareOf(stage.count(500), 'a')).toBe(1);
    stage.change(inZone('a', 8, { state: 'down' }));
    // 0.2 / 0.7 of the calls stay, and of the others 2 of 12 come back.
    const stay = 0.2 / 0.7;
    expect(shareOf(stage.count(20_000, { strategy: 'random' }), 'a')).toBeCloseTo(
      stay + (1 - stay) * (2 / 12),
      1,
    );
    stage.change(inZone('a', 10, { state: 'down' }));
    expect(shareOf(stage.count(100), 'b')).toBe(1);
  });

  it('sends the same key to the same instance while a part of the traffic leaves the zone', () => {
    const stage = new Stage({}, 'a').list(...inZone('a', 10), ...inZone('b', 10));
    stage.change(inZone('a', 6, { state: 'down' }));
    for (let key = 0; key < 50; key += 1) {
      expect(Object.keys(stage.count(5, { hashKey: `${key}` }))).toHaveLength(1);
    }
  });
});
