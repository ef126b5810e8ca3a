import type { EtcdClient } from '../client/etcd-client.js';
import type { IRangeRequest } from 'etcd3';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeKv } from '../../../../test/support/fake-kv.js';
import { VirtualClock } from '../../../../test/support/virtual-clock.js';
import {
  EtcdNoSpaceError,
  EtcdTimeoutError,
  LeaseExistsError,
  LeaseNotFoundError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import { verdictKey } from '../client/keys.js';
import { Marks } from './marks.js';
import type { MarkOptions } from './registration-options.js';
import { decodeVerdictRecord } from './verdict-record.js';

const DOWN: MarkOptions = { state: 'down', forMs: 60_000, source: 'operator', reason: 'a test' };

describe('a mark', () => {
  let kv: FakeKv;
  let marks: Marks;
  /** The leases that stand, by their ids, with their spans in seconds. */
  let leases: Map<string, number>;
  /** What becomes of the next grants, before they are answered. */
  let grants: (Error | null)[];
  /** What becomes of the next reads. */
  let reads: (Error | null)[];
  let clock: VirtualClock;

  beforeEach(() => {
    kv = new FakeKv();
    [leases, grants, reads] = [new Map(), [], []];
    clock = new VirtualClock();
    const { range } = kv.client;
    const client = Object.assign(kv.client, {
      clock,
      range: async (request: IRangeRequest) => {
        const fault = reads.shift();
        if (fault) throw fault;
        return range(request);
      },
      leaseGrant: async (id: string, ttlSeconds: number) => {
        const fault = grants.shift();
        if (fault && !(fault instanceof LeaseExistsError)) throw fault;
        leases.set(id, ttlSeconds);
        if (fault) throw fault;
      },
      leaseRevoke: async (id: string) => {
        if (!leases.delete(id)) throw new LeaseNotFoundError('Lease.revoke');
        for (const [key, { lease }] of kv.kvs) if (lease === id) kv.delete(key);
      },
    }) as unknown as EtcdClient;
    marks = new Marks({ client, namespace: 'ns', instanceId: 'me' });
  });

  const mark = (options: Partial<MarkOptions> = {}) =>
    marks.mark('s', 'i', { ...DOWN, ...options });
  function standing(source = 'operator') {
    const found = kv.kvs.get(verdictKey('ns', 's', 'i', source));
    return found ? { lease: found.lease, ...decodeVerdictRecord(found.value) } : null;
  }

  it.each([
    [1, 1],
    [1000, 1],
    [1001, 2],
    [86_400_000, 86_400],
  ])('for %i ms stands on a lease of its own of %i s', async (forMs, seconds) => {
    await mark({ forMs });
    const [[id, granted]] = [...leases] as [[string, number]];
    expect(granted).toBe(seconds);
    expect(standing()).toMatchObject({
      ...{ lease: id, ownLease: id, state: 'down', by: 'me', reason: 'a test' },
    });
  });

  it('takes the lease of the one with it that it replaces, and leaves others', async () => {
    await mark();
    await mark({ source: 'monitor' });
    await mark({ state: 'draining' });
    expect(leases.size).toBe(2);
    expect(leases.has(standing()!.lease)).toBe(true);
    expect([standing()!.state, standing('monitor')!.state]).toEqual(['draining', 'down']);
  });

  it('leaves a lease alone that is not the mark’s own', async () => {
    leases.set('77', 60);
    const key = verdictKey('ns', 's', 'i', 'operator');
    kv.put(key, JSON.stringify({ state: 'down', ownLease: '78' }), '77');
    await mark();
    expect(leases.has('77')).toBe(true);
    await marks.unmark('s', 'i', 'operator');
    expect([standing(), [...leases.keys()]]).toEqual([null, ['77']]);
  });

  it('is the caller’s own if it names no source, and is no more than taken away twice', async () => {
    await marks.mark('s', 'i', { state: 'down', forMs: 1000 });
    expect(standing('me')).toMatchObject({ reason: null });
    await marks.unmark('s', 'i');
    await marks.unmark('s', 'i');
    expect([standing('me'), leases.size]).toEqual([null, 0]);
  });

  it('stands once if the answers to its writes are lost', async () => {
    kv.fates.push('lost');
    await mark();
    expect([standing()?.state, leases.size, kv.asked.length]).toEqual(['down', 1, 1]);
    kv.fates.push('dropped', 'answered');
    await mark({ state: 'draining' });
    expect([standing()?.state, leases.size, kv.asked.length]).toEqual(['draining', 1, 3]);
  });

  it('stands if its lease was granted and the answer lost', async () => {
    grants.push(new LeaseExistsError('Lease.grant'));
    await mark();
    expect([standing()?.state, leases.size]).toEqual(['down', 1]);
  });

  it('leaves no lease, and nothing that comes late, if it fails', async () => {
    kv.fates.push(new EtcdNoSpaceError('KV.txn'));
    await expect(mark()).rejects.toBeInstanceOf(EtcdNoSpaceError);
    kv.fates.push('dropped', 'dropped', 'dropped', 'dropped', 'dropped');
    await expect(mark()).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    expect([standing(), leases.size]).toEqual([null, 0]);
  });

  it.each(['lost', 'dropped'] as const)(
    'is settled though its write is %s and it cannot be read at once',
    async (fate) => {
      const late = () => new EtcdTimeoutError('KV.range', 1000);
      kv.fates.push(fate);
      reads.push(null, late(), late());
      const marked = mark();
      await clock.advance(10_000);
      await marked;
      expect([standing()?.state, leases.size]).toEqual(['down', 1]);
    },
  );

  it('that may have replaced another one is not taken away with it', async () => {
    await mark({ state: 'draining' });
    kv.fates.push('lost');
    reads.push(null, ...Array.from({ length: 50 }, () => new EtcdTimeoutError('KV.range', 1000)));
    const marked = mark().catch((error: unknown) => error);
    await clock.advance(60_000);
    expect(await marked).toBeInstanceOf(WriteOutcomeUnknownError);
    expect(standing()?.state).toBe('down');
    expect(clock.pending).toBe(0);
  });

  it('leaves the one alone that it could not replace', async () => {
    await mark({ state: 'draining' });
    kv.fates.push('dropped', 'dropped', 'dropped', 'dropped', 'dropped');
    await expect(mark()).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    expect(standing()?.state).toBe('draining');
  });

  it.each<[string, object | null]>([
    ['mark', null],
    ['mark.state', { state: 'up' }],
    ['mark.forMs', { forMs: 0 }],
    ['mark.forMs', { forMs: NaN }],
    ['mark.forMs', { forMs: 86_400_001 }],
    ['mark.reason', { reason: 'x'.repeat(1025) }],
    ['mark.untilMs', { untilMs: 1 }],
    ['source', { source: 'probe' }],
    ['source', { source: 'instance' }],
    ['source', { source: 'a\0' }],
  ])('is refused for its %s, and nothing is written: %j', async (option, some) => {
    const options = some === null ? null : { ...DOWN, ...some };
    await expect(marks.mark('s', 'i', options as MarkOptions)).rejects.toMatchObject({
      ...{ code: 'INVALID_REGISTRATION', option },
      message: expect.stringContaining('of a mark '),
    });
    expect([kv.asked, leases.size]).toEqual([[], 0]);
  });
});
