import { Logger } from '@nestjs/common';
import { BehaviorSubject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeKv } from '../../../../../test/support/fake-kv.js';
import { settle, VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { EtcdPermissionDeniedError } from '../../client/etcd.errors.js';
import { instanceKey, verdictKey } from '../../client/keys.js';
import { encodeInstanceRecord } from '../instance-record.js';
import { decodeVerdictRecord } from '../verdict-record.js';
import type { ProbeAim } from './probe.js';
import { ServiceProber } from './prober.js';

const SPEC = { intervalMs: 1000, timeoutMs: 100, failures: 2, passes: 2 };
const never = () => new Promise<never>(() => undefined);

describe('a prober', () => {
  let kv: FakeKv;
  let clock: VirtualClock;
  let candidates: BehaviorSubject<readonly string[]>;
  let log: string[];
  /** Ports that were probed. */
  let asked: number[];
  let probe: (aim: ProbeAim) => Promise<string | null>;
  let probers: ServiceProber[];

  beforeEach(() => {
    for (const level of ['log', 'warn', 'error'] as const) {
      vi.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
    }
    kv = new FakeKv();
    clock = new VirtualClock(0);
    candidates = new BehaviorSubject<readonly string[]>(['a']);
    [log, asked, probers] = [[], [], []];
    probe = async () => null;
  });
  afterEach(async () => {
    const closed = Promise.all(probers.map((prober) => prober.close()));
    await clock.advance(2000);
    await closed;
    vi.restoreAllMocks();
  });

  async function start(instanceId = 'a', perProber = 200) {
    const election = {
      candidates$: candidates,
      join: async () => void log.push(`${instanceId} joined`),
      leave: async () => void log.push(`${instanceId} left`),
    };
    const client = Object.assign(kv.client, { clock });
    const parts = { client, watch: kv.hub, namespace: 'ns', instanceId, election };
    const one = (aim: ProbeAim) => {
      asked.push(aim.port);
      return probe(aim);
    };
    const probes = { http: one, tcp: one, grpc: one };
    const prober = new ServiceProber(parts, { perProber, probes, random: () => 0.5 });
    probers.push(prober);
    await prober.start();
    await settle();
    return prober;
  }

  function register(
    id: string,
    some: { mark?: string; state?: 'up' | 'draining'; port?: number } = {},
  ) {
    const { mark = `mark of ${id}`, state = 'up', port = 80 } = some;
    const record = {
      ...{ address: `http://10.0.0.1:${port}`, protocol: 'http' as const, host: '10.0.0.1', port },
      ...{ zone: null, weight: 1, version: null, metadata: {}, reason: null, by: id, mark, state },
      probe: { kind: 'http' as const, port: null, target: '/', ...SPEC },
    };
    kv.put(instanceKey('ns', 's', id), encodeInstanceRecord(record).toString(), '7');
  }
  const deregister = (id: string) => kv.delete(instanceKey('ns', 's', id));
  const verdictOn = (id: string) => {
    const found = kv.kvs.get(verdictKey('ns', 's', id, 'probe'));
    return found ? decodeVerdictRecord(found.value) : null;
  };

  it('probes who asks for it and is there already, and who comes', async () => {
    register('x', { port: 1 });
    kv.put(
      instanceKey('ns', 's', 'unprobed'),
      JSON.stringify({ address: 'http://h:9', state: 'up' }),
    );
    kv.put(instanceKey('ns', 's', 'nonsense'), '}{');
    kv.put('ns/registry/what', 'x');
    const prober = await start();
    register('y', { port: 2 });
    await clock.advance(900);
    expect([prober.targets, [...new Set(asked)]]).toEqual([2, [1, 2]]);
    deregister('x');
    await clock.advance(3000);
    expect(prober.targets).toBe(1);
    expect(asked.filter((port) => port === 1)).toEqual([1]);
  });

  it('has a verdict stand while an instance fails, and only then', async () => {
    register('x');
    await start();
    probe = async () => 'answered 503';
    await clock.advance(1400);
    expect(verdictOn('x')).toBeNull();
    await clock.advance(200);
    expect(verdictOn('x')).toMatchObject({ state: 'down', by: 'a' });
    expect(verdictOn('x')!.reason).toMatch(/2 times in a row: answered 503/);
    probe = async () => null;
    await clock.advance(1000);
    expect(verdictOn('x')).not.toBeNull();
    await clock.advance(1000);
    expect(verdictOn('x')).toBeNull();
  });

  it('goes on with the verdicts that stand when it comes to be its turn', async () => {
    register('x');
    register('y');
    candidates.next(['b', 'a']);
    const first = await start('b');
    const second = await start('a');
    probe = async () => 'no';
    await clock.advance(2000);
    expect([first.targets, second.targets]).toEqual([2, 0]);
    const before = kv.asked.length;
    probe = async () => null;
    candidates.next(['a']);
    expect([first.targets, second.targets]).toEqual([0, 2]);
    await clock.advance(600);
    expect([verdictOn('x')?.by, kv.asked.length]).toEqual(['b', before]);
    await clock.advance(1500);
    expect([verdictOn('x'), verdictOn('y')]).toEqual([null, null]);
  });

  it('gives a registration that comes back its verdict again, and a new one of that id none', async () => {
    register('x');
    await start();
    probe = async () => 'no';
    await clock.advance(2000);
    deregister('x');
    await clock.advance(1000);
    expect(verdictOn('x')).toBeNull();
    register('x');
    await clock.advance(100);
    expect(verdictOn('x')).toMatchObject({ state: 'down' });

    deregister('x');
    register('x', { mark: 'another' });
    await clock.advance(600);
    expect(verdictOn('x')).toBeNull();
  });

  it('takes away what was left of a registration that is over, and of an earlier one', async () => {
    const left = JSON.stringify({ state: 'down', by: 'old', reason: null });
    for (const id of ['gone', 'anew']) kv.put(verdictKey('ns', 's', id, 'probe'), left);
    kv.put(verdictKey('ns', 's', 'gone', 'operator'), left);
    register('anew');
    await start();
    await clock.advance(100);
    expect([verdictOn('gone'), verdictOn('anew')]).toEqual([null, null]);
    expect(kv.kvs.has(verdictKey('ns', 's', 'gone', 'operator'))).toBe(true);
  });

  it('does not ask who drains, and goes on where it was when that one is back', async () => {
    register('x');
    const prober = await start();
    probe = async () => 'no';
    await clock.advance(600);
    register('x', { state: 'draining' });
    await clock.advance(5000);
    expect([asked.length, verdictOn('x'), prober.targets]).toEqual([1, null, 1]);
    register('x');
    await clock.advance(600);
    expect(verdictOn('x')).not.toBeNull();
  });

  it('shares the targets out with others', async () => {
    candidates.next(['a', 'b', 'c', 'd']);
    const all = [
      await start('a', 10),
      await start('b', 10),
      await start('c', 10),
      await start('d', 10),
    ];
    for (let port = 1; port <= 30; port += 1) register(`i${port}`, { port });
    await settle();
    expect(all.reduce((sum, { targets }) => sum + targets, 0)).toBe(30);
    expect([all[3]!.targets, all.slice(0, 3).every(({ targets }) => targets > 3)]).toEqual([
      0,
      true,
    ]);
    await clock.advance(600);
    expect(asked.sort((x, y) => x - y)).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
  });

  it('asks 64 at once at the most, and the others all the same when those hang', async () => {
    probe = ({ port }) => (port <= 64 ? never() : Promise.resolve(null));
    await start();
    for (let port = 1; port <= 100; port += 1) register(`i${port}`, { port });
    await clock.advance(550);
    expect(asked).toHaveLength(64);
    await clock.advance(100);
    expect(asked).toHaveLength(100);
  });

  it('asks again for what etcd refuses to show, and does what it can until then', async () => {
    register('x');
    const prober = await start();
    kv.refuse(new EtcdPermissionDeniedError('A watch', 'u'));
    register('y');
    await clock.advance(5000);
    expect(prober.targets).toBe(1);
    await clock.advance(6000);
    expect(prober.targets).toBe(2);
    candidates.error(new EtcdPermissionDeniedError('A watch', 'u'));
    expect(prober.targets).toBe(0);
  });

  it('leaves nothing when it closes, but the verdicts', async () => {
    register('x');
    const prober = await start();
    probe = async () => 'no';
    await clock.advance(2000);
    probe = never;
    await clock.advance(600);
    await prober.close();
    expect([clock.pending, prober.targets, log]).toEqual([0, 0, ['a joined', 'a left']]);
    candidates.next(['a']);
    register('y');
    await clock.advance(5000);
    expect([prober.targets, verdictOn('x')?.state]).toEqual([0, 'down']);
  });
});
