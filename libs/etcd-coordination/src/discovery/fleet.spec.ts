import { describe, expect, it } from 'vitest';
import { FleetStage, up } from '../../../../test/support/fleet-stage.js';
import { serviceInstance } from '../../../../test/support/service-instances.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { UnsaidReason } from './silence.js';

const ROUND_ROBIN = { strategy: 'round-robin' } as const;

describe('who can be chosen', () => {
  it('is who is up', () => {
    const stage = new FleetStage().list(
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
    expect(stage.fleet.whyNotUp()).toBeNull();
    const word = {
      state: 'starting',
      source: 'instance',
      by: 'd',
      reason: '"db" said "no"',
    } as const;
    stage.change([serviceInstance('d', { state: 'starting', words: [word] })]);
    expect(stage.fleet.whyNotUp()).toBe('"d" is starting: "db" said "no"');
  });

  it('is nobody who is excluded', () => {
    const stage = new FleetStage().list(...up('a', 'b', 'c'));
    for (const strategy of ['random', 'round-robin', 'least-in-flight', 'weighted'] as const) {
      expect(stage.count(20, { strategy, exclude: new Set(['a', 'c']) })).toEqual({ b: 20 });
    }
    expect(stage.choose({ exclude: new Set(['a', 'b', 'c']) })).toBeNull();
    expect(stage.fleet.describe({ exclude: new Set(['a', 'b', 'c']) })).toBe(
      'of its instances there are 3 up, of which 3 excluded by the caller',
    );
  });

  it('is one that is protected as well, or the others would drown', () => {
    const kept = [1, 2].map((n) => serviceInstance(`kept${n}`, { isProtected: true, zone: 'z' }));
    const stage = new FleetStage({}, 'z').list(serviceInstance('a', { zone: 'z' }), ...kept);
    expect(stage.count(30, ROUND_ROBIN)).toEqual({ a: 10, kept1: 10, kept2: 10 });
    stage.change(['a']);
    expect(stage.count(20, ROUND_ROBIN)).toEqual({ kept1: 10, kept2: 10 });
  });
});

/** One that says it is up, and is found down by others. */
function found(id: string, ...sources: string[]): ServiceInstance {
  const own = { state: 'up', source: 'instance', by: id, reason: null } as const;
  const words = sources.map((source) => ({ ...own, state: 'down' as const, source, by: 'p' }));
  return serviceInstance(id, { state: 'down', words: [own, ...words] });
}

describe('another attempt of a call', () => {
  const options = (...tried: string[]) => ({ tried: new Set(tried), ...ROUND_ROBIN });

  it('goes to whoever was not tried', () => {
    const stage = new FleetStage().list(...up('a', 'b', 'c'));
    expect(stage.count(20, options('a', 'c'))).toEqual({ b: 20 });
    expect(stage.choose({ ...options('a'), exclude: new Set(['b', 'c']) })).toBeNull();
  });

  it('goes to those that are surely there before those that are protected', () => {
    const stage = new FleetStage().list(
      ...up('a', 'b'),
      ...[1, 2, 3].map((n) => serviceInstance(`kept${n}`, { isProtected: true })),
    );
    expect(Object.keys(stage.count(40, options('kept1'))).sort()).toEqual(['a', 'b']);
    expect(Object.keys(stage.count(40, options('kept1', 'a', 'b'))).sort()).toEqual([
      'kept2',
      'kept3',
    ]);
  });

  it('is made at nobody who is found down or ejected while somebody is up, though that was tried', () => {
    const stage = new FleetStage().list(...up('a', 'b'), found('down', 'probe'));
    expect(stage.choose(options('a', 'b'))).toBeNull();
    stage.fail('b');
    expect(stage.choose(options('a'))).toBeNull();
    stage.change([serviceInstance('a', { isProtected: true })]);
    expect(stage.choose(options('a'))).toBeNull();
    stage.change(['a']);
    expect(stage.choose(options('a'))).toBe('b');
    expect(stage.choose(options('a', 'b'))).toBe('down');
  });
});

describe('round robin beside many who are excluded', () => {
  it('gives each of the others its turn', () => {
    const others = Array.from({ length: 30 }, (_, index) => `other${index}`);
    const stage = new FleetStage().list(...up('a', 'b', 'x', 'y', ...others));
    const found = stage.count(40, { ...ROUND_ROBIN, exclude: new Set(others) });
    expect(found).toEqual({ a: 10, b: 10, x: 10, y: 10 });
  });
});

describe('who only a prober finds down', () => {
  it('is called where nobody is up, and not before', () => {
    const stage = new FleetStage().list(...up('a'), found('b', 'probe'), found('c', 'probe'));
    expect(stage.count(20)).toEqual({ a: 20 });
    stage.change(['a']);
    expect(Object.keys(stage.count(40, ROUND_ROBIN)).toSorted()).toEqual(['b', 'c']);
  });

  it('is not called if it says so itself, or somebody marks it', () => {
    const ill = serviceInstance('ill', { state: 'down' });
    const stage = new FleetStage().list(ill, found('marked', 'probe', 'operator'));
    expect(stage.choose()).toBeNull();
  });
});

describe('ejection', () => {
  it('comes after five failures in a row, and is over after one good trial', () => {
    const stage = new FleetStage({ slowStartMs: 0 }).list(...up('a', 'b', 'c'));
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
    const stage = new FleetStage({ slowStartMs: 0 }).list(...up('a', 'b', 'c'));
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
    const four = new FleetStage().list(...up('a', 'b', 'c', 'd'));
    for (const id of ['a', 'b', 'c']) four.fail(id);
    expect(Object.keys(four.count(40, ROUND_ROBIN)).sort()).toEqual(['c', 'd']);
    const two = new FleetStage().list(...up('a', 'b'));
    two.fail('b');
    two.fail('a');
    expect(two.count(10, ROUND_ROBIN)).toEqual({ a: 10 });
    const one = new FleetStage().list(...up('a'));
    one.fail('a');
    expect(one.choose()).toBe('a');
  });

  it('counts those on trial among those that it may take', () => {
    const stage = new FleetStage().list(...up('a', 'b', 'c', 'd'));
    for (const id of ['a', 'b']) stage.fail(id);
    stage.now += 5000;
    for (const id of ['c', 'd']) stage.fail(id);
    for (const id of ['a', 'b']) stage.call(id, 'failed');
    expect(stage.fleet.count(stage.now)).toEqual({ usable: 2, ejected: 2 });
  });

  it('takes one that is protected at its first failure, and does not count it among the others', () => {
    const kept = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `kept${n}`);
    const stage = new FleetStage().list(
      ...up('a', 'b', 'c', 'd'),
      ...kept.map((id) => serviceInstance(id, { isProtected: true })),
    );
    for (const id of kept.slice(0, 9)) stage.fail(id, 1);
    for (const id of ['a', 'b', 'c', 'd']) stage.fail(id);
    expect(stage.fleet.count(stage.now)).toEqual({ usable: 3, ejected: 11 });
    expect(stage.count(30, ROUND_ROBIN)).toEqual({ c: 10, d: 10, kept9: 10 });
  });

  it('does not come at the first failure of one that drains', () => {
    const stage = new FleetStage().list(...up('a', 'b'));
    const candidate = stage.fleet.choose({ exclude: new Set(['b']) }, 0)!;
    stage.fleet.began(candidate, 0);
    stage.change([serviceInstance('a', { state: 'draining' })]);
    stage.fleet.ended(candidate, 'failed', 0, 1);
    stage.change(up('a'));
    expect(stage.fleet.count(1)).toEqual({ usable: 2, ejected: 0 });
  });

  it('is not ended by an answer of the time before it', () => {
    const stage = new FleetStage({ slowStartMs: 0 }).list(...up('a', 'b', 'c'));
    const early = stage.now;
    const others = { exclude: new Set(['b', 'c']) };
    const late = [0, 1].map(() => {
      const candidate = stage.fleet.choose(others, early)!;
      stage.fleet.began(candidate, early);
      return candidate;
    });
    stage.fail('a');
    stage.fleet.ended(late[0]!, 'succeeded', early, ++stage.now);
    expect(stage.count(30, ROUND_ROBIN)).toEqual({ b: 15, c: 15 });
    stage.now += 5000;
    stage.call('a', 'failed');
    // The second ejection is longer than the first.
    stage.now += 9000;
    expect(stage.count(30, ROUND_ROBIN)).toEqual({ b: 15, c: 15 });
    stage.now += 1000;
    stage.fleet.ended(late[1]!, 'failed', early, stage.now);
    expect(stage.count(30, ROUND_ROBIN)).toHaveProperty('a', 10);
  });

  it('comes by the deadlines of callers too, and by those who gave up after far too long', () => {
    const late = new DOMException('late', 'TimeoutError');
    for (const why of [late, new UnsaidReason(), new DOMException('no more', 'AbortError')]) {
      const stage = new FleetStage().list(...up('a', 'b', 'c'));
      stage.call('b', 'succeeded', 5);
      for (let time = 0; time < 5; time += 1) stage.call('a', 'abandoned', 200, why);
      const isEjected = !Object.hasOwn(stage.count(30, ROUND_ROBIN), 'a');
      expect([why.name, isEjected]).toEqual([why.name, why.name !== 'AbortError']);
    }
  });

  it('leaves the ejected for when there is nobody else', () => {
    const stage = new FleetStage().list(...up('a', 'b'));
    stage.fail('a');
    stage.change([serviceInstance('b', { state: 'down' })]);
    expect(stage.choose()).toBe('a');
  });

  it('can be turned off', () => {
    const stage = new FleetStage({ ejection: false }).list(...up('a', 'b'));
    stage.fail('a', 50);
    expect(stage.count(10, ROUND_ROBIN)).toEqual({ a: 5, b: 5 });
  });
});
