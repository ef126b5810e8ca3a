import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeKv } from '../../../../../test/support/fake-kv.js';
import { settle, VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { LeaseNotFoundError } from '../../client/etcd.errors.js';
import { decodeVerdictRecord } from '../verdict-record.js';
import { VerdictWriter } from './verdict-writer.js';

const KEYS = { instance: 'ns/registry/s/instance/a', verdict: 'ns/registry/s/verdict/a/probe' };

describe('a prober’s verdict', () => {
  let kv: FakeKv;
  let clock: VirtualClock;
  let writer: VerdictWriter;

  beforeEach(() => {
    vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    kv = new FakeKv();
    clock = new VirtualClock();
    kv.put(KEYS.instance, '{}', '7');
    writer = new VerdictWriter(Object.assign(kv.client, { clock }), 'prober', KEYS, standing());
  });

  const standing = () => ({
    instance: kv.kvs.get(KEYS.instance),
    verdict: kv.kvs.get(KEYS.verdict),
  });
  const verdict = () => {
    const found = kv.kvs.get(KEYS.verdict);
    return found ? { lease: found.lease, ...decodeVerdictRecord(found.value) } : null;
  };

  it('is put on the instance’s lease while it is down, and deleted when it is well', async () => {
    writer.want('no answer');
    await settle();
    expect(verdict()).toMatchObject({
      ...{ lease: '7', state: 'down', by: 'prober', reason: 'no answer' },
    });
    writer.want(null);
    await clock.advance(1000);
    expect(verdict()).toBeNull();
    expect(kv.asked).toHaveLength(2);
  });

  it('is written only if it changes', async () => {
    writer.want(null, standing());
    await settle();
    expect(kv.asked).toEqual([]);
    writer.want('x');
    await settle();
    writer.want('another', standing());
    await clock.advance(5000);
    expect(kv.asked).toHaveLength(1);
  });

  it.each(['lost', 'dropped'] as const)('is settled by asking again (%s)', async (fate) => {
    kv.fates.push(fate);
    writer.want('x');
    await clock.advance(1000);
    const put = kv.revision;
    expect(verdict()).toMatchObject({ state: 'down' });
    kv.fates.push(fate);
    writer.want(null);
    await clock.advance(5000);
    expect(verdict()).toBeNull();
    // Nothing was applied twice.
    expect(kv.revision).toBe(put + 1);
  });

  it('is put again on the lease that the instance has moved to', async () => {
    writer.want('x');
    await settle();
    kv.put(KEYS.instance, '{}', '8');
    writer.want('x', standing());
    await clock.advance(1000);
    expect(verdict()).toMatchObject({ lease: '8' });
  });

  it('is not put on a registration that is over, nor on another one’s lease', async () => {
    kv.delete(KEYS.instance);
    writer.want('x');
    await settle();
    expect([verdict(), kv.asked.length]).toEqual([null, 1]);

    kv.put(KEYS.instance, '{}', '9');
    await clock.advance(5000);
    // Nobody has said that it is that one.
    expect(verdict()).toBeNull();
  });

  it('goes with an instance that is deregistered', async () => {
    writer.want('x');
    await settle();
    kv.delete(KEYS.instance);
    writer.want('x', standing());
    await clock.advance(1000);
    expect(verdict()).toBeNull();
  });

  it('is put again if somebody deletes it, or puts something else there; not in a flood', async () => {
    writer.want('x');
    await settle();
    for (const undo of [() => kv.delete(KEYS.verdict), () => kv.put(KEYS.verdict, 'nonsense')]) {
      undo();
      writer.want('x', standing());
      await clock.advance(499);
      expect(verdict()?.state).not.toBe('down');
      await clock.advance(1);
      expect(verdict()).toMatchObject({ lease: '7', state: 'down' });
    }
  });

  it('is tried again while etcd refuses it', async () => {
    kv.fates.push(new LeaseNotFoundError('a put'), new Error('no such thing'));
    writer.want('x');
    await clock.advance(60_000);
    expect(verdict()).toMatchObject({ state: 'down' });
  });

  it('is left as it stands, and no timer with it, when the prober closes', async () => {
    kv.fates.push('dropped', 'dropped', 'dropped');
    writer.want('x');
    await settle();
    await writer.close();
    writer.want(null, standing());
    await clock.advance(60_000);
    expect([verdict(), clock.pending]).toEqual([null, 0]);
    expect(kv.asked).toHaveLength(1);
  });
});
