import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keysUnder, putKey } from '../../support/etcd-admin.js';
import { configLayerKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { UnknownTrafficNameError } from '../../../libs/etcd-coordination/src/traffic/traffic.errors.js';
import { DegradedError } from '../../../libs/etcd-coordination/src/traffic/switches/switch.errors.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { ADA, freshNamespace, startSwitches, type SwitchInstance } from './switches-instance.js';

describe.each(await serversUnderTest())('switches by hand, $name', ({ start }) => {
  let server: ServerUnderTest;
  let namespace: string;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  const declared = { recommendations: { priority: 3 }, statistics: { priority: 7 } };

  async function startTwo(): Promise<[SwitchInstance, SwitchInstance]> {
    namespace = freshNamespace();
    const started = await Promise.all(
      ['orders-1', 'orders-2'].map((id) =>
        startSwitches(id, server.endpoint, declared, { namespace }),
      ),
    );
    await Promise.all(started.map(({ switches }) => switches.ready()));
    return [started[0]!, started[1]!];
  }

  const seen = ({ switches }: SwitchInstance, name: string, state: 'on' | 'off') =>
    waitFor(() => switches.state(name).state === state, { what: `"${name}" to be ${state}` });

  it('are flipped for every process, with who, why and when', async () => {
    const [one, two] = await startTwo();
    const told: string[] = [];
    two.switches.state$('recommendations').subscribe(({ state }) => void told.push(state));
    await one.switches.set('recommendations', 'off', ADA);
    await Promise.all([one, two].map((each) => seen(each, 'recommendations', 'off')));
    expect(two.switches.isOn('statistics')).toBe(true);
    const state = two.switches.state('recommendations');
    expect(state).toMatchObject({
      ...{ source: 'manual', scope: 'fleet', by: 'ada', why: ADA.reason, share: 0, until: null },
      priority: 3,
    });
    expect(state.since).toBeInstanceOf(Date);
    expect(() => two.switches.call('recommendations', () => 1)).toThrow(DegradedError);
    expect(
      two.switches.call(
        'recommendations',
        () => 1,
        () => 2,
      ),
    ).toBe(2);

    await two.switches.set('recommendations', 'auto', { author: 'bob', reason: 'it is back' });
    await Promise.all([one, two].map((each) => seen(each, 'recommendations', 'on')));
    expect(one.switches.state('recommendations').source).toBe('default');
    expect(told).toEqual(['on', 'off', 'on']);
    expect(await one.switches.history('recommendations')).toMatchObject([
      { state: 'auto', source: 'manual', by: 'bob', why: 'it is back' },
      { state: 'off', source: 'manual', by: 'ada', why: ADA.reason, at: expect.any(Date) as Date },
    ]);
    expect(await one.switches.history('statistics')).toEqual([]);
  });

  it('are cut by class, unless an operator has set one on', async () => {
    const [one, two] = await startTwo();
    await one.switches.cutFrom(5, ADA);
    await seen(two, 'statistics', 'off');
    expect(two.switches.state('statistics')).toMatchObject({ source: 'class', by: 'ada' });
    expect(two.switches.isOn('recommendations')).toBe(true);
    await two.switches.cutFrom(1, ADA);
    await seen(one, 'recommendations', 'off');
    await one.switches.set('recommendations', 'on', ADA);
    await seen(two, 'recommendations', 'on');
    expect(two.switches.state('recommendations').source).toBe('manual');
    await one.switches.cutFrom(null, { author: 'ada', reason: 'calm again' });
    await seen(two, 'statistics', 'on');
    expect(await two.switches.history('statistics')).toMatchObject([
      { state: 'auto', source: 'class', why: 'calm again' },
      { state: 'off', source: 'class', by: 'ada' },
    ]);
    expect(await two.switches.history('recommendations')).toMatchObject([
      { state: 'auto', source: 'class' },
      { state: 'on', source: 'manual' },
      { state: 'off', source: 'class' },
    ]);
  });

  it('go back by themselves when that was asked for', async () => {
    const [one, two] = await startTwo();
    await one.switches.set('recommendations', 'off', { ...ADA, forMs: 1500 });
    await seen(two, 'recommendations', 'off');
    expect(two.switches.state('recommendations').until).toBeInstanceOf(Date);
    await Promise.all([one, two].map((each) => seen(each, 'recommendations', 'on')));
    expect(await one.switches.history('recommendations')).toMatchObject([
      { state: 'off', until: expect.any(Date) as Date },
    ]);
  });

  it('stay as they are when what is pushed means nothing, and can be set all the same', async () => {
    const [one, two] = await startTwo();
    await one.switches.set('recommendations', 'off', ADA);
    await seen(two, 'recommendations', 'off');
    const key = configLayerKey(namespace, 'traffic/switches/recommendations', ['shared']);
    const load = configLayerKey(namespace, 'traffic/load', ['shared']);
    for (const garbage of ['{', '[]', '{"priority":0}', '{"manual":{"state":"maybe"}}']) {
      const refused = two.store.rejections$;
      const rejected = new Promise((resolve) => refused.subscribe(resolve));
      await putKey(server.endpoint, key, garbage);
      await rejected;
      expect(two.switches.state('recommendations')).toMatchObject({ state: 'off', by: 'ada' });
    }
    await putKey(server.endpoint, load, '{"cutFrom":"all"}');
    await one.switches.set('recommendations', 'on', { author: 'bob', reason: 'mended' });
    await seen(two, 'recommendations', 'on');
    expect(two.switches.isOn('statistics')).toBe(true);
  });

  it('keep what else their document says, whoever sets them at the same time', async () => {
    const [one, two] = await startTwo();
    const key = 'traffic/switches/recommendations';
    await one.store.set(key, { priority: 8 });
    await waitFor(() => two.switches.state('recommendations').priority === 8, {
      what: 'the priority of the document',
    });
    await Promise.all([
      one.switches.set('recommendations', 'off', ADA),
      two.switches.set('recommendations', 'off', { author: 'bob', reason: 'so do I' }),
    ]);
    await seen(one, 'recommendations', 'off');
    expect(one.switches.state('recommendations').priority).toBe(8);
    const versions = await one.store.history(key);
    expect(new Set(versions.map(({ author }) => author))).toEqual(
      new Set(['ada', 'bob', 'orders-1']),
    );
  });

  it('refuse what means nothing, and change nothing', async () => {
    const [{ switches }] = await startTwo();
    const refused = async (promise: Promise<unknown>, why: RegExp) => {
      await expect(promise).rejects.toThrow(why);
    };
    for (const change of [{}, { author: 'ada' }, { author: ' ', reason: 'x' }, undefined]) {
      const given = change as never;
      await refused(switches.set('recommendations', 'off', given), /author|reason/);
      await refused(switches.cutFrom(3, given), /author|reason/);
    }
    for (const forMs of [0, -1, NaN, Infinity]) {
      await refused(switches.set('recommendations', 'off', { ...ADA, forMs }), /forMs/);
    }
    await refused(switches.set('recommendations', 'auto', { ...ADA, forMs: 1 }), /forMs/);
    await refused(switches.set('recommendations', 'no' as never, ADA), /"on", "off"/);
    for (const priority of [0, 10, 1.5, NaN]) {
      await refused(switches.cutFrom(priority, ADA), /from 1 to 9/);
    }
    await expect(switches.set('search', 'off', ADA)).rejects.toThrow(UnknownTrafficNameError);
    expect(() => switches.isOn('search')).toThrow('"recommendations", "statistics"');
    expect(await keysUnder(server.endpoint, `${namespace}/config/`)).toEqual([]);
  });
});
