import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeConfigStore } from '../../../../../test/support/fake-config-store.js';
import { VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { ClientClosedError } from '../../client/etcd.errors.js';
import { UnknownTrafficNameError } from '../traffic.errors.js';
import type { SwitchGround } from './switch-ground.js';
import { LOAD_KIND, SWITCH_KIND, type SwitchOptions } from './switch-rule.js';
import { Switches } from './switches.js';

/** An etcd that never answers. */
function silentGround(clock: VirtualClock, documents: FakeConfigStore): SwitchGround {
  const never = () => new Promise<never>(() => undefined);
  const client = { clock, options: { connection: 'default' }, range: never, txn: never };
  return {
    client,
    watch: { watch: () => ({ cancel: () => undefined }) },
    session: { ready: never },
    store: documents.asStore,
    namespace: 'shop',
    instanceId: 'orders-1',
  } as unknown as SwitchGround;
}

describe('the switches of a process that etcd does not answer', () => {
  const AUTO = { errorRate: 0.5, minCalls: 4, windowMs: 1000, recoverAfterMs: 2000 };
  let clock: VirtualClock;
  let documents: FakeConfigStore;

  beforeEach(() => {
    clock = new VirtualClock();
    documents = new FakeConfigStore();
    Logger.overrideLogger(false);
  });
  afterEach(() => vi.restoreAllMocks());

  const start = (declared: Record<string, SwitchOptions>) => {
    const switches = new Switches(silentGround(clock, documents), declared);
    for (const name of switches.names) switches.of(name);
    return switches;
  };
  const failing = () => {
    throw new Error('no answer');
  };
  const fail = (switches: Switches, times: number) => {
    for (let i = 0; i < times; i++) expect(() => switches.call('x', failing)).toThrow('no answer');
  };

  it('follow nothing before anybody asks, and know only what is declared', () => {
    const switches = new Switches(silentGround(clock, documents), { x: {} });
    expect(documents.listeners).toBe(0);
    expect(() => switches.state('y')).toThrow(UnknownTrafficNameError);
    expect(() => switches.of('y', 'Shop.run')).toThrow('Shop.run');
    expect(() => start({ x: { auto: {} } })).toThrow('"auto" of the switch "x"');
  });

  it('run nothing of one that is off from its beginning, as by the snapshot', () => {
    const lines: string[] = [];
    vi.spyOn(Logger.prototype, 'warn').mockImplementation((line) => void lines.push(String(line)));
    const manual = { state: 'off', author: 'ada' };
    documents.set('traffic/switches/x', SWITCH_KIND.read({ manual, auto: AUTO }));
    documents.set('traffic/load', LOAD_KIND.read({ cutFrom: 7 }));
    const switches = start({ x: {}, y: { priority: 8 } });
    for (const name of ['x', 'y']) {
      const call = () =>
        switches.call(
          name,
          () => 'ran',
          () => 'instead',
        );
      expect(call()).toBe('instead');
      expect(switches.isOn(name)).toBe(false);
    }
    expect(lines).toEqual([
      'The switch "x" (priority 5) is off: set by hand by ada.',
      'The switch "y" (priority 8) is off: its priority is cut.',
    ]);
    // Its rule is looked at all the same.
    expect(clock.pending).toBe(1);
  });

  it('run every tenth call of one that is on trial, the first one at once', async () => {
    const switches = start({ x: { auto: AUTO } });
    fail(switches, 4);
    await clock.advance(200);
    expect(switches.state('x')).toMatchObject({ state: 'off', scope: 'instance', share: 0 });
    const runs = () =>
      Array.from({ length: 25 }, () =>
        switches.call(
          'x',
          () => 1,
          () => 0,
        ),
      );
    expect(runs()).toEqual(Array.from({ length: 25 }, () => 0));
    await clock.advance(2000);
    expect(switches.state('x')).toMatchObject({ state: 'off', share: 0.1 });
    expect(switches.isOn('x')).toBe(false);
    expect(runs()).toEqual(Array.from({ length: 25 }, (_, i) => (i % 10 === 0 ? 1 : 0)));
    await clock.advance(1200);
    expect(switches.state('x').state).toBe('on');
  });

  it('take no timer where nothing depends on time, and none after the end', async () => {
    const switches = start({ x: {} });
    expect(clock.pending).toBe(0);
    const push = (document: object) =>
      documents.set('traffic/switches/x', SWITCH_KIND.read(document));
    push({ auto: AUTO });
    expect(clock.pending).toBe(1);
    push({});
    expect(clock.pending).toBe(0);
    push({ manual: { state: 'off', until: '2100-01-01T00:00:00Z' }, auto: AUTO });
    expect(clock.pending).toBe(1);
    let ended = false;
    switches.state$('x').subscribe({ complete: () => (ended = true) });
    await switches.close();
    expect(clock.pending).toBe(0);
    // Those that keep the two documents' values, which end with the store.
    expect(documents.listeners).toBe(2);
    expect(ended).toBe(true);
    expect(switches.isOn('x')).toBe(false);
  });

  it('follow nothing new after the end', async () => {
    const switches = new Switches(silentGround(clock, documents), { x: { auto: AUTO }, y: {} });
    switches.of('y');
    await switches.close();
    expect(() => switches.isOn('x')).toThrow(ClientClosedError);
    expect(() => switches.isOn('z')).toThrow(UnknownTrafficNameError);
    expect(switches.isOn('y')).toBe(true);
    // What the switch "y" and the cut of its class left.
    expect(documents.listeners).toBe(2);
    expect(clock.pending).toBe(0);
  });

  it('keep what was measured when a document says the same of the rule', async () => {
    const switches = start({ x: { auto: AUTO } });
    fail(switches, 3);
    documents.set('traffic/switches/x', SWITCH_KIND.read({ auto: AUTO, priority: 9 }));
    fail(switches, 1);
    await clock.advance(200);
    expect(switches.state('x')).toMatchObject({ state: 'off', priority: 9 });
  });

  it('say each flip in one line, and are not hurt by who listens', async () => {
    const lines: string[] = [];
    vi.spyOn(Logger.prototype, 'warn').mockImplementation((line) => void lines.push(String(line)));
    const switches = start({ x: { auto: AUTO } });
    switches.state$('x').subscribe(() => {
      throw new Error('a listener that throws');
    });
    fail(switches, 4);
    await clock.advance(600);
    expect(lines).toEqual([
      'The switch "x" (priority 5) is off: its rule was broken in this process: 4 of 4 calls within 1000 ms failed (the limit is 50 %).',
    ]);
    expect(switches.state('x').state).toBe('off');
  });
});
