import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { settle, VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { EtcdPermissionDeniedError } from '../../client/etcd.errors.js';
import { switchVoteKey, switchWordKey } from '../../client/keys.js';
import type { RangeWatchHandlers } from '../../watch/range-watch.js';
import { encode, type Vote } from './fleet-records.js';
import { FlipLog } from './flip-log.js';
import { SwitchFleet } from './switch-fleet.js';
import type { SwitchGround } from './switch-ground.js';

const OFF: Vote = { state: 'off', why: 'it failed' };

describe('a switch in the fleet', () => {
  const word = switchWordKey('shop', 'x');
  let clock: VirtualClock;
  let kvs: IKeyValue[];
  let watches: RangeWatchHandlers[];
  let proposals: number;
  let changes: number;
  let fleet: SwitchFleet;

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = new VirtualClock();
    [kvs, watches, proposals, changes] = [[], [], 0, 0];
    const client = {
      clock,
      options: { connection: 'default' },
      range: async () => ({ kvs, header: { revision: '10', cluster_id: '1' } }),
      txn: async () => {
        proposals += 1;
        throw new Error('no space');
      },
    };
    const watch = {
      watch: (_range: unknown, _start: unknown, handlers: RangeWatchHandlers) => {
        watches.push(handlers);
        return { cancel: () => undefined };
      },
    };
    const ground = {
      ...{ client, watch, namespace: 'shop', instanceId: 'orders-1', random: () => 1 },
    } as unknown as SwitchGround;
    const flips = new FlipLog(ground.client, 'shop', 'x');
    fleet = new SwitchFleet(ground, 'x', flips, () => (changes += 1));
  });
  afterEach(() => {
    fleet.close();
    vi.restoreAllMocks();
  });

  const entry = (key: string, value: Buffer, revision = '5') =>
    ({
      ...{ key: Buffer.from(key), value, lease: '0', version: '1' },
      ...{ create_revision: revision, mod_revision: revision },
    }) as IKeyValue;
  const vote = (id: string, revision?: string) =>
    entry(switchVoteKey('shop', 'x', id), encode(OFF), revision);
  const stand = async () => {
    watches.at(-1)!.standing(10n, false, '1');
    await settle();
  };
  const lookFor = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 200) {
      fleet.look(clock.now(), 0.5);
      await clock.advance(200);
    }
  };

  it('leaves an etcd that does not take its word in peace, for longer each time', async () => {
    const warned = vi.spyOn(Logger.prototype, 'warn');
    kvs = [vote('orders-1')];
    await stand();
    await lookFor(60_000);
    // After 1, 2, 4, 8, 16 s, and then 30.
    expect(proposals).toBe(6);
    expect(warned).toHaveBeenCalledTimes(1);
  });

  it('follows anew what etcd has refused to show, and goes by no stale votes meanwhile', async () => {
    kvs = [vote('orders-1'), entry(word, encode(OFF))];
    await stand();
    expect(fleet.word?.state).toBe('off');
    watches[0]!.refused(new EtcdPermissionDeniedError('shop', 'no'));
    kvs = [vote('orders-1'), entry(word, encode({ state: 'on', why: null }), '7')];
    await lookFor(2000);
    expect(watches).toHaveLength(2);
    // Nobody has shown another one yet.
    expect(fleet.word?.state).toBe('off');
    await lookFor(2000);
    expect(proposals).toBe(0);
    const before = changes;
    await stand();
    expect(fleet.word?.state).toBe('on');
    expect(changes).toBeGreaterThan(before);
    await lookFor(1000);
    expect(proposals).toBe(1);
  });

  it('heeds no word of those who are gone', async () => {
    kvs = [entry(word, encode(OFF))];
    await stand();
    expect(fleet.isKnown).toBe(true);
    expect(fleet.word).toBeNull();
    watches[0]!.events([{ type: 'Put', kv: vote('orders-2', '11') } as never]);
    // Somebody has come who was there when it was written.
    expect(fleet.word?.state).toBe('off');
    watches[0]!.events([{ type: 'Delete', kv: vote('orders-2', '12') } as never]);
    // As all leases run out in an outage: those who live go by it on.
    expect(fleet.word?.state).toBe('off');
  });
});
