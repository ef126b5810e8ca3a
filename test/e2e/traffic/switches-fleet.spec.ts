import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  switchVotesPrefix,
  switchWordKey,
} from '../../../libs/etcd-coordination/src/client/keys.js';
import { FlipLog } from '../../../libs/etcd-coordination/src/traffic/switches/flip-log.js';
import { SwitchFleet } from '../../../libs/etcd-coordination/src/traffic/switches/switch-fleet.js';
import type { SwitchOptions } from '../../../libs/etcd-coordination/src/traffic/switches/switch-rule.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { ADA, freshNamespace, startSwitches, type SwitchInstance } from './switches-instance.js';

const NAME = 'recommendations';
/** Recovers when nobody waits for it any more. */
const LASTING = { errorRate: 0.5, minCalls: 4, windowMs: 2000, recoverAfterMs: 600_000 };
/** Recovers while the test waits. */
const BRIEF = { ...LASTING, windowMs: 1000, recoverAfterMs: 500 };

/** A switch for which fewer are enough: once it is cut, the other would have been too. */
const CONTROL = 'control';

const rule = (auto: SwitchOptions['auto']) => ({
  [NAME]: { priority: 3, auto: auto! },
  [CONTROL]: { priority: 3, auto: { ...auto, quorum: 0.3 } },
});

describe('switches that cut themselves', () => {
  let server: EtcdServer;
  let namespace: string;

  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server?.kill());

  async function startFleet(count: number, auto = LASTING): Promise<SwitchInstance[]> {
    namespace = freshNamespace();
    const ids = Array.from({ length: count }, (_, index) => `orders-${index + 1}`);
    const fleet = await Promise.all(
      ids.map((id) => startSwitches(id, server.endpoint, rule(auto), { namespace })),
    );
    await votes(count);
    return fleet;
  }

  const votes = (count: number, state?: 'on' | 'off') =>
    waitFor(
      async () => {
        const all = await keysUnder(server.endpoint, switchVotesPrefix(namespace, NAME));
        const such = all.filter(({ value }) => !state || value.includes(`"state":"${state}"`));
        return such.length === count;
      },
      { what: `${count} votes ${state ?? ''}` },
    );
  const stateOf = ({ switches }: SwitchInstance) => switches.state(NAME);
  const until = (instances: readonly SwitchInstance[], state: 'on' | 'off', scope?: string) =>
    waitFor(
      () =>
        instances.every((instance) => {
          const status = stateOf(instance);
          return status.state === state && (!scope || status.scope === scope);
        }),
      {
        what: () => `all to be ${state}: ${JSON.stringify(instances.map(stateOf))}`,
        timeoutMs: 20_000,
      },
    );
  const fail = async ({ switches }: SwitchInstance, times = 5, name = NAME) => {
    const failing = () => Promise.reject(new Error('no answer'));
    const fallback = () => Promise.resolve('instead');
    for (let i = 0; i < times; i++) await switches.call(name, failing, fallback).catch(() => null);
  };
  const succeed = ({ switches }: SwitchInstance) =>
    switches.call(
      NAME,
      () => 'done',
      () => 'instead',
    );

  it('cut the one instance that is sick, and the fleet only when most are', async () => {
    const fleet = await startFleet(5);
    const [first, second, third, fourth, fifth] = fleet;
    await fail(first!);
    await until([first!], 'off', 'instance');
    await votes(1, 'off');
    await fail(second!);
    await until([second!], 'off', 'instance');
    await votes(2, 'off');
    await fail(first!, 5, CONTROL);
    await fail(second!, 5, CONTROL);
    await waitFor(() => fifth!.switches.state(CONTROL).state === 'off', {
      what: 'the fleet to be cut where two of five are enough',
    });
    expect([third, fourth, fifth].map((each) => stateOf(each!).state)).toEqual(['on', 'on', 'on']);
    expect(await keysUnder(server.endpoint, switchWordKey(namespace, NAME))).toEqual([]);
    await fail(third!);
    await until(fleet, 'off', 'fleet');
    const state = stateOf(fifth!);
    expect(state).toMatchObject({ source: 'automatic', share: 0 });
    expect(fleet.map(({ id }) => id)).toContain(state.by);
    expect(state.why).toMatch(/^3 of 5 instances .*5 of 5 calls within 2000 ms failed/);
    const flips = await fifth!.switches.history(NAME);
    expect(flips.map(({ scope, state }) => `${scope} ${state}`)).toEqual([
      'fleet off',
      'instance off',
      'instance off',
      'instance off',
    ]);
    expect(flips.slice(1).map(({ by }) => by)).toEqual(['orders-3', 'orders-2', 'orders-1']);
  });

  it('are recorded once, however many come to the same', async () => {
    const [one, two] = (await startFleet(2)) as [SwitchInstance, SwitchInstance];
    const fleets = [one, two].map(({ ground }) => {
      const flips = new FlipLog(ground.client, namespace, NAME);
      return new SwitchFleet(ground, NAME, flips, () => undefined);
    });
    await Promise.all(fleets.map((each) => each.propose('off', '0', 'both say so')));
    await until([one, two], 'off', 'fleet');
    expect(await one.switches.history(NAME)).toHaveLength(1);
    for (const each of fleets) each.close();
  });

  it('obey an operator, who is never overruled', async () => {
    const fleet = await startFleet(3);
    const [one, two, three] = fleet as [SwitchInstance, SwitchInstance, SwitchInstance];
    await one.switches.set(NAME, 'on', ADA);
    await waitFor(() => fleet.every((each) => stateOf(each).source === 'manual'), {
      what: 'the word of the operator',
    });
    await Promise.all(fleet.map((each) => fail(each)));
    const word = () => keysUnder(server.endpoint, switchWordKey(namespace, NAME));
    await waitFor(async () => (await word()).length === 1, { what: "the fleet's word" });
    expect(fleet.map((each) => stateOf(each).state)).toEqual(['on', 'on', 'on']);
    expect(succeed(two)).toBe('done');
    // What was kept from flipping it does as soon as it may.
    await two.switches.set(NAME, 'auto', ADA);
    await until(fleet, 'off', 'fleet');
    await three.switches.set(NAME, 'off', ADA);
    await waitFor(() => fleet.every((each) => stateOf(each).source === 'manual'), {
      what: 'the word of the operator',
    });
    expect(stateOf(one)).toMatchObject({ state: 'off', by: 'ada' });
  });

  it('stay off by hand though the rule finds them well', async () => {
    const fleet = await startFleet(2, BRIEF);
    await Promise.all(fleet.map((each) => fail(each)));
    await until(fleet, 'off', 'fleet');
    await fleet[0]!.switches.set(NAME, 'off', ADA);
    await votes(2, 'on');
    await waitFor(
      async () => {
        const [word] = await keysUnder(server.endpoint, switchWordKey(namespace, NAME));
        return word?.value.includes('"state":"on"');
      },
      { what: 'the fleet to be well' },
    );
    expect(fleet.map((each) => stateOf(each))).toMatchObject([
      { state: 'off', source: 'manual' },
      { state: 'off', source: 'manual' },
    ]);
    expect(succeed(fleet[1]!)).toBe('instead');
  });

  it('come back when a trial goes well, once for the fleet', async () => {
    const fleet = await startFleet(3, BRIEF);
    await Promise.all(fleet.map((each) => fail(each)));
    await until(fleet, 'off', 'fleet');
    const told: string[] = [];
    fleet[0]!.switches.state$(NAME).subscribe(({ state }) => void told.push(state));
    await waitFor(
      () => {
        for (const each of fleet) for (let i = 0; i < 5; i++) succeed(each);
        return fleet.every((each) => stateOf(each).state === 'on');
      },
      { what: 'the fleet to be on again', timeoutMs: 20_000 },
    );
    expect(told).toEqual(['off', 'on']);
    const flips = await fleet[0]!.switches.history(NAME);
    expect(flips.filter(({ scope }) => scope === 'fleet')).toMatchObject([
      { state: 'on' },
      { state: 'off' },
    ]);
  });

  it('begin cut where the fleet is', async () => {
    const fleet = await startFleet(2);
    await Promise.all(fleet.map((each) => fail(each)));
    await until(fleet, 'off', 'fleet');
    const late = await startSwitches('orders-3', server.endpoint, rule(LASTING), { namespace });
    await until([late], 'off', 'fleet');
    await votes(3, 'off');
  });

  it('go on without etcd: the last state stands, and each is cut by what it measures', async () => {
    namespace = freshNamespace();
    const proxy = await TcpProxy.start({ target: new URL(server.endpoint).host });
    try {
      const near = await startSwitches('orders-1', proxy.address, rule(LASTING), { namespace });
      const other = await startSwitches('orders-2', server.endpoint, rule(LASTING), { namespace });
      await votes(2);
      await other.switches.set(NAME, 'off', ADA);
      await until([near], 'off');
      await proxy.refuse();
      expect(stateOf(near)).toMatchObject({ state: 'off', source: 'manual' });
      await other.switches.set(NAME, 'auto', ADA);
      await until([other], 'on');
      // Nobody can tell it that, nor that it fails; it goes by what it was told.
      expect(stateOf(near)).toMatchObject({ state: 'off', source: 'manual' });
      await proxy.pass();
      await until([near], 'on');
      await proxy.refuse();
      await fail(near);
      await until([near], 'off', 'instance');
      await proxy.pass();
      await waitFor(
        async () =>
          (await other.switches.history(NAME)).some(
            ({ scope, by, state }) => scope === 'instance' && by === 'orders-1' && state === 'off',
          ),
        { what: 'the flip to be recorded after the outage', timeoutMs: 20_000 },
      );
      expect(stateOf(other).state).toBe('on');
    } finally {
      await proxy.close();
    }
  });

  it('start without etcd, cut themselves, and take part once it is there', async () => {
    namespace = freshNamespace();
    const proxy = await TcpProxy.start({ target: new URL(server.endpoint).host });
    await proxy.refuse();
    try {
      const early = await startSwitches('orders-1', proxy.address, rule(LASTING), { namespace });
      await early.switches.ready();
      expect(stateOf(early).state).toBe('on');
      await fail(early);
      await until([early], 'off', 'instance');
      await proxy.pass();
      await votes(1, 'off');
      await until([early], 'off', 'fleet');
    } finally {
      await proxy.close();
    }
  });

  it('are cut by a held-up event loop, and not tried before it is free', async () => {
    namespace = freshNamespace();
    let delayMs = 500;
    const makeMeter = () => ({ take: () => delayMs, stop: () => undefined });
    const loop = { ...BRIEF, errorRate: 0, eventLoopDelayMs: 200 };
    const { errorRate: _, ...auto } = loop;
    const one = await startSwitches('orders-1', server.endpoint, rule(auto), {
      ...{ namespace, makeMeter },
    });
    await until([one], 'off', 'fleet');
    expect(stateOf(one).why).toContain('the event loop was held up');
    delayMs = 0;
    await until([one], 'on');
  });

  it('take their rule from etcd while they run, and leave it', async () => {
    namespace = freshNamespace();
    const declared = { [NAME]: {} };
    const one = await startSwitches('orders-1', server.endpoint, declared, { namespace });
    await one.switches.ready();
    await fail(one, 20);
    expect(stateOf(one).state).toBe('on');
    await one.store.set(`traffic/switches/${NAME}`, { auto: LASTING });
    await votes(1);
    await fail(one);
    await until([one], 'off', 'fleet');
    await one.store.set(`traffic/switches/${NAME}`, { auto: null });
    await until([one], 'on');
    await votes(0);
    // The word of that time is nobody's any more.
    expect(await keysUnder(server.endpoint, switchWordKey(namespace, NAME))).toHaveLength(1);
    const told: string[] = [];
    one.switches.state$(NAME).subscribe(({ state }) => void told.push(state));
    await one.store.set(`traffic/switches/${NAME}`, { auto: LASTING });
    await votes(1, 'on');
    expect(await keysUnder(server.endpoint, switchWordKey(namespace, NAME))).toEqual([]);
    expect(told).toEqual(['on']);
  });

  it('keep a bounded record', async () => {
    const [one] = (await startFleet(1)) as [SwitchInstance];
    const flips = new FlipLog(one.client, namespace, NAME);
    const fleet = new SwitchFleet(one.ground, NAME, flips, () => undefined);
    const wordKey = switchWordKey(namespace, NAME);
    let seen = '0';
    for (let i = 0; i < 205; i++) {
      await fleet.propose(i % 2 ? 'on' : 'off', seen, `turn ${i}`);
      const { kvs } = await one.client.range({ key: Buffer.from(wordKey) });
      seen = kvs[0]!.mod_revision;
    }
    const kept = await one.switches.history(NAME, { limit: 1000 });
    const turns = kept.map(({ why }) => why).filter((why) => why?.startsWith('turn'));
    expect(turns.length).toBeLessThan(205);
    expect(turns.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, i) => `turn ${204 - i}`));
    fleet.close();
  });
});
