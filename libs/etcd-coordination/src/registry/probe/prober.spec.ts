import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProberStage } from '../../../../../test/support/prober-stage.js';
import { settle } from '../../../../../test/support/virtual-clock.js';
import { EtcdPermissionDeniedError } from '../../client/etcd.errors.js';
import { instanceKey, verdictKey } from '../../client/keys.js';

const never = () => new Promise<never>(() => undefined);

describe('a prober', () => {
  let stage: ProberStage;

  beforeEach(() => {
    for (const level of ['log', 'warn', 'error'] as const) {
      vi.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
    }
    stage = new ProberStage();
    stage.stand('a');
  });
  afterEach(async () => {
    await stage.close();
    vi.restoreAllMocks();
  });

  it('probes who asks for it and is there already, and who comes', async () => {
    stage.register('x', { port: 1 });
    stage.kv.put(
      instanceKey('ns', 's', 'unprobed'),
      JSON.stringify({ address: 'http://h:9', state: 'up' }),
    );
    stage.kv.put(instanceKey('ns', 's', 'nonsense'), '}{');
    stage.kv.put('ns/registry/what', 'x');
    const prober = await stage.start();
    stage.register('y', { port: 2 });
    await stage.clock.advance(900);
    expect([prober.targets, [...new Set(stage.asked)]]).toEqual([2, [1, 2]]);
    stage.deregister('x');
    await stage.clock.advance(3000);
    expect(prober.targets).toBe(1);
    expect(stage.asked.filter((port) => port === 1)).toEqual([1]);
  });

  it('has a verdict stand while an instance fails, and only then', async () => {
    stage.register('x');
    await stage.start();
    stage.probe = async () => 'answered 503';
    await stage.clock.advance(1400);
    expect(stage.verdictOn('x')).toBeNull();
    await stage.clock.advance(200);
    expect(stage.verdictOn('x')).toMatchObject({ state: 'down', by: 'a' });
    expect(stage.verdictOn('x')!.reason).toMatch(/2 times in a row: answered 503/);
    stage.probe = async () => null;
    await stage.clock.advance(1000);
    expect(stage.verdictOn('x')).not.toBeNull();
    await stage.clock.advance(1000);
    expect(stage.verdictOn('x')).toBeNull();
  });

  it('goes on with the verdicts that stand when it comes to be its turn', async () => {
    stage.register('x');
    stage.register('y');
    stage.stand('b', 'a');
    const first = await stage.start('b');
    const second = await stage.start('a');
    stage.probe = async () => 'no';
    await stage.clock.advance(2000);
    expect([first.targets, second.targets]).toEqual([2, 0]);
    const before = stage.kv.asked.length;
    stage.probe = async () => null;
    stage.stand('a');
    expect([first.targets, second.targets]).toEqual([0, 2]);
    await stage.clock.advance(600);
    expect([stage.verdictOn('x')?.by, stage.kv.asked.length]).toEqual(['b', before]);
    await stage.clock.advance(1500);
    expect([stage.verdictOn('x'), stage.verdictOn('y')]).toEqual([null, null]);
  });

  it('gives a registration that comes back its verdict again, and a new one of that id none', async () => {
    stage.register('x');
    await stage.start();
    stage.probe = async () => 'no';
    await stage.clock.advance(2000);
    stage.deregister('x');
    await stage.clock.advance(1000);
    expect(stage.verdictOn('x')).toBeNull();
    stage.register('x');
    await stage.clock.advance(100);
    expect(stage.verdictOn('x')).toMatchObject({ state: 'down' });

    stage.deregister('x');
    stage.register('x', { mark: 'another' });
    await stage.clock.advance(600);
    expect(stage.verdictOn('x')).toBeNull();
  });

  it('takes away what was left of a registration that is over, and of an earlier one', async () => {
    const left = JSON.stringify({ state: 'down', by: 'old', reason: null });
    for (const id of ['gone', 'anew']) stage.kv.put(verdictKey('ns', 's', id, 'probe'), left);
    stage.kv.put(verdictKey('ns', 's', 'gone', 'operator'), left);
    stage.register('anew');
    await stage.start();
    await stage.clock.advance(100);
    expect([stage.verdictOn('gone'), stage.verdictOn('anew')]).toEqual([null, null]);
    expect(stage.kv.kvs.has(verdictKey('ns', 's', 'gone', 'operator'))).toBe(true);
  });

  it('does not ask who drains, and goes on where it was when that one is back', async () => {
    stage.register('x');
    const prober = await stage.start();
    stage.probe = async () => 'no';
    await stage.clock.advance(600);
    stage.register('x', { state: 'draining' });
    await stage.clock.advance(5000);
    expect([stage.asked.length, stage.verdictOn('x'), prober.targets]).toEqual([1, null, 1]);
    stage.register('x');
    await stage.clock.advance(600);
    expect(stage.verdictOn('x')).not.toBeNull();
  });

  it('shares the targets out with others', async () => {
    stage.stand('a', 'b', 'c', 'd');
    const all = [
      await stage.start('a', { perProber: 10 }),
      await stage.start('b', { perProber: 10 }),
      await stage.start('c', { perProber: 10 }),
      await stage.start('d', { perProber: 10 }),
    ];
    for (let port = 1; port <= 30; port += 1) stage.register(`i${port}`, { port });
    await settle();
    expect(all.reduce((sum, { targets }) => sum + targets, 0)).toBe(30);
    expect([all[3]!.targets, all.slice(0, 3).every(({ targets }) => targets > 3)]).toEqual([
      0,
      true,
    ]);
    await stage.clock.advance(600);
    expect(stage.asked.sort((x, y) => x - y)).toEqual(
      Array.from({ length: 30 }, (_, at) => at + 1),
    );
  });

  it('asks 64 at once at the most, and the others all the same when those hang', async () => {
    stage.probe = ({ port }) => (port <= 64 ? never() : Promise.resolve(null));
    await stage.start();
    for (let port = 1; port <= 100; port += 1) stage.register(`i${port}`, { port });
    await stage.clock.advance(550);
    expect(stage.asked).toHaveLength(64);
    await stage.clock.advance(100);
    expect(stage.asked).toHaveLength(100);
  });

  it('asks again for what etcd refuses to show, and does what it can until then', async () => {
    stage.register('x');
    const prober = await stage.start();
    stage.kv.refuse(new EtcdPermissionDeniedError('A watch', 'u'));
    stage.register('y');
    await stage.clock.advance(5000);
    expect(prober.targets).toBe(1);
    await stage.clock.advance(6000);
    expect(prober.targets).toBe(2);
    stage.candidates.error(new EtcdPermissionDeniedError('A watch', 'u'));
    expect(prober.targets).toBe(0);
  });

  it('stands in the election as soon as it may', async () => {
    stage.register('x');
    stage.candidates.next([]);
    stage.refusal = new EtcdPermissionDeniedError('KV.txn', 'u');
    const prober = await stage.start('a', { joins: true });
    await stage.clock.advance(15_000);
    expect([stage.log, prober.targets]).toEqual([[], 0]);
    stage.refusal = null;
    await stage.clock.advance(10_000);
    expect([stage.log, prober.targets]).toEqual([['a joined'], 1]);
  });

  it('stands again when its candidacy was ended, and be it before etcd showed it', async () => {
    stage.register('x');
    const prober = await stage.start('a', { joins: true });
    // Such as a role that is taken away: the candidacy is over for good.
    stage.refusal = new EtcdPermissionDeniedError('A watch', 'u');
    stage.stand('b');
    expect(prober.targets).toBe(0);
    await stage.clock.advance(25_000);
    stage.refusal = null;
    await stage.clock.advance(10_000);
    expect(stage.candidates.value.map(({ id }) => id)).toEqual(['b', 'a']);
    stage.stand('b');
    stage.stand('b');
    await stage.clock.advance(11_000);
    expect(stage.candidates.value.map(({ id }) => id)).toEqual(['b', 'a']);
  });

  it('leaves nothing when it closes, but the verdicts', async () => {
    stage.register('x');
    const prober = await stage.start();
    stage.probe = async () => 'no';
    await stage.clock.advance(2000);
    stage.probe = never;
    await stage.clock.advance(600);
    await prober.close();
    expect([stage.clock.pending, prober.targets, stage.log]).toEqual([
      0,
      0,
      ['a joined', 'a left'],
    ]);
    stage.stand('a');
    stage.register('y');
    await stage.clock.advance(5000);
    expect([prober.targets, stage.verdictOn('x')?.state]).toEqual([0, 'down']);
  });
});
