import { describe, expect, it } from 'vitest';
import { FleetStage, up } from '../../../../test/support/fleet-stage.js';
import { serviceInstance } from '../../../../test/support/service-instances.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { ChooseOptions } from './service-pool.js';

const SLOW_START_MS = 30_000;

const ROUND_ROBIN = { strategy: 'round-robin' } as const;

describe('slow start', () => {
  /** The share of `x` beside nine others, against what it would get with its whole share. */
  const rampOf = (stage: FleetStage, options: ChooseOptions) =>
    (stage.count(20_000, options)['x'] ?? 0) / 2000;

  for (const strategy of ['round-robin', 'random', 'weighted', 'least-in-flight'] as const) {
    it(`ramps one that is new from a tenth to its whole share, with ${strategy}`, () => {
      const stage = new FleetStage().list(...up('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'));
      stage.change(up('x'));
      expect(rampOf(stage, { strategy })).toBeCloseTo(0.1, 1);
      stage.now += SLOW_START_MS / 2;
      expect(rampOf(stage, { strategy })).toBeCloseTo(0.55, 0);
      stage.now += SLOW_START_MS / 2;
      expect(rampOf(stage, { strategy })).toBeCloseTo(1, 1);
    });
  }

  it('is for one that was down, or ejected, but not for one that resumes or is of the first list', () => {
    const stage = new FleetStage().list(
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
    const stage = new FleetStage().list(...up('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'x'));
    stage.change([serviceInstance('x', { createRevision: 2n })]);
    expect(rampOf(stage, ROUND_ROBIN)).toBeCloseTo(0.1, 1);
    stage.now += SLOW_START_MS;
    stage.change([serviceInstance('x', { createRevision: 2n, isProtected: true })]);
    stage.change([serviceInstance('x', { createRevision: 3n })]);
    expect(rampOf(stage, ROUND_ROBIN)).toBeCloseTo(1, 1);
  });

  it('is not for one that is back because it is kept after all', () => {
    const stage = new FleetStage().list(...up('a', 'b'));
    stage.change(['b']);
    stage.change([serviceInstance('b', { isProtected: true })]);
    stage.change([serviceInstance('b', { createRevision: 2n })]);
    expect(stage.count(20, ROUND_ROBIN)).toEqual({ a: 10, b: 10 });
  });

  it('leads those to their share as well that are only kept', () => {
    const kept = { isProtected: true };
    const stage = new FleetStage().list(serviceInstance('a', kept));
    stage.change(up('b'));
    stage.change([serviceInstance('b', kept)]);
    const random = { strategy: 'random' } as const;
    expect(stage.count(200, random)['a']).toBeGreaterThan(150);
    stage.now += SLOW_START_MS;
    expect(stage.count(200, random)['a']).toBeLessThan(150);
  });

  it('holds nobody back when all are fresh, and can be turned off', () => {
    const fresh = new FleetStage().list();
    fresh.change(up('a', 'b'));
    expect(fresh.count(10, ROUND_ROBIN)).toEqual({ a: 5, b: 5 });
    const off = new FleetStage({ slowStartMs: 0 }).list(...up('a'));
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
    const stage = new FleetStage({}, 'a').list(...inZone('a', 5), ...inZone('b', 5));
    expect(shareOf(stage.count(200), 'a')).toBe(1);
    expect(shareOf(stage.count(200, { zone: 'b' }), 'b')).toBe(1);
    expect(shareOf(stage.count(200, { zone: 'none' }), 'a')).toBeLessThan(1);
  });

  it('lets a part go elsewhere when too few of the zone are healthy, and all when none is', () => {
    const stage = new FleetStage({}, 'a').list(...inZone('a', 10), ...inZone('b', 10));
    stage.change(inZone('a', 3, { state: 'down' }));
    expect(shareOf(stage.count(500), 'a')).toBe(1);
    stage.change(inZone('a', 8, { state: 'down' }));
    // With those that go anywhere, and so come back.
    expect(shareOf(stage.count(20_000, { strategy: 'random' }), 'a')).toBeCloseTo(0.2 / 0.7, 1);
    const alone = new FleetStage({}, 'a').list(...inZone('a', 5));
    alone.change(inZone('a', 4, { state: 'down' }));
    expect(alone.count(10)).toEqual({ a4: 10 });
    stage.change(inZone('a', 10, { state: 'down' }));
    expect(shareOf(stage.count(100), 'b')).toBe(1);
  });

  it('are no matter to a key, unless one is asked for, and neither is who is new', () => {
    const list = [...inZone('a', 5), ...inZone('b', 5)];
    const [here, there] = ['a', 'b'].map((zone) => new FleetStage({}, zone).list(...list));
    here!.change([serviceInstance('new')]);
    there!.list(serviceInstance('new'));
    const found = new Set<string>();
    for (let key = 0; key < 200; key += 1) {
      const hashKey = `${key}`;
      const id = here!.choose({ hashKey })!;
      expect(there!.choose({ hashKey })).toBe(id);
      expect(here!.choose({ hashKey, zone: 'b' })).toMatch(/^b/);
      found.add(id);
    }
    expect(found.size).toBe(11);
  });

  it('sends the same key to the same instance while a part of the traffic leaves the zone', () => {
    const stage = new FleetStage({}, 'a').list(...inZone('a', 10), ...inZone('b', 10));
    stage.change(inZone('a', 6, { state: 'down' }));
    for (let key = 0; key < 50; key += 1) {
      expect(Object.keys(stage.count(5, { hashKey: `${key}`, zone: 'a' }))).toHaveLength(1);
    }
  });
});
