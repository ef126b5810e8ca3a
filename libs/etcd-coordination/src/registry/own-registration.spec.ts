import { Logger } from '@nestjs/common';
import type { IRangeRequest, ITxnRequest } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeKv } from '../../../../test/support/fake-kv.js';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import {
  ClientClosedError,
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  EtcdTimeoutError,
  EtcdUnavailableError,
} from '../client/etcd.errors.js';
import { instanceKey, verdictKey } from '../client/keys.js';
import { DEFAULT_TIMEOUTS } from '../client/client-options.js';
import type { EtcdSession } from '../session/etcd-session.js';
import { SessionLease } from '../session/session-lease.js';
import { decodeInstanceRecord } from './instance-record.js';
import { OwnRegistration } from './own-registration.js';
import type { ServiceRegistration } from './registration-options.js';
import { readRegistration } from './validate-registration.js';

const KEY = instanceKey('ns', 'orders', 'p-1');
const HOUR_MS = 3_600_000;

/** A session whose leases last until the test ends them. */
class FakeSession {
  lease: SessionLease | null = null;
  private waiting: ((lease: SessionLease) => void)[] = [];
  readonly moves = new Set<(lease: SessionLease) => Promise<unknown>>();
  gone = 0;

  constructor(private readonly clock: VirtualClock) {
    this.grant('1');
  }

  grant(id: string): void {
    this.lease = new SessionLease(id, HOUR_MS, this.clock.now(), this.clock, () => {
      this.lease = null;
    });
    for (const resolve of this.waiting.splice(0)) resolve(this.lease);
  }
  ready(signal: AbortSignal): Promise<SessionLease> {
    if (this.lease) return Promise.resolve(this.lease);
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  }
  reportGone(lease: SessionLease): void {
    this.gone += 1;
    lease.end('gone');
  }
  beforeRevocation(move: (lease: SessionLease) => Promise<unknown>): () => void {
    this.moves.add(move);
    return () => this.moves.delete(move);
  }
}

describe('a registration', () => {
  let clock: VirtualClock;
  let kv: FakeKv;
  let session: FakeSession;
  /** What is said instead of the next answers to transactions that were applied, and to reads. */
  let answers: (Error | null)[];
  let reads: Error[];
  let looks: number;
  /** Called after each read. */
  let looked: () => unknown;
  const open: OwnRegistration[] = [];

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = new VirtualClock();
    kv = new FakeKv();
    session = new FakeSession(clock);
    looked = () => undefined;
    [answers, reads, looks] = [[], [], 0];
  });
  afterEach(async () => {
    const ended = open.splice(0).map((registration) => registration.deregister());
    await clock.advance(20_000);
    await Promise.all(ended);
    expect(kv.kvs.has(KEY)).toBe(false);
    session.lease?.end('closed');
    expect(session.moves.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  async function register(more: Partial<ServiceRegistration> = {}): Promise<OwnRegistration> {
    const { txn, range } = kv.client;
    const client = Object.assign(kv.client, {
      clock,
      txn: async (request: ITxnRequest) => {
        const answer = await txn(request);
        const fault = answers.shift();
        if (fault) throw fault;
        return answer;
      },
      range: async (request: IRangeRequest) => {
        looks += 1;
        const fault = reads.shift();
        if (fault) throw fault;
        const found = await range(request);
        looked();
        return found;
      },
      options: { connection: 'test', timeouts: DEFAULT_TIMEOUTS },
      leaseTimeToLive: async () => ({ TTL: '5', header: { raft_term: '1' } }),
    }) as unknown as EtcdClient;
    const given = { name: 'orders', address: 'http://h:1', ...more };
    const registration = new OwnRegistration(
      {
        client,
        session: session as unknown as EtcdSession,
        watch: kv.hub,
        namespace: 'ns',
        instanceId: 'p-1',
      },
      readRegistration(given, 'p-1'),
    );
    open.push(registration);
    await settle();
    return registration;
  }

  const record = () => {
    const standing = kv.kvs.get(KEY);
    return standing ? decodeInstanceRecord(standing.value) : null;
  };

  it('takes away what was put late, after it had ended', async () => {
    kv.fates.push('late');
    const registration = await register();
    await registration.deregister();
    kv.deliver();
    expect(record()).not.toBeNull();
    await settle();
    expect(record()).toBeNull();
  });

  it('takes over what was put late, after it was put again and deleted', async () => {
    kv.fates.push('late');
    const registration = await register();
    await clock.advance(2000);
    expect(registration.registered).toBe(true);
    await registration.drain();
    kv.lags = true;
    kv.delete(KEY);
    kv.deliver();
    expect(record()!.state).toBe('up');
    kv.lags = false;
    kv.tell();
    await clock.advance(5000);
    expect(record()!.state).toBe('draining');
    expect(registration.registered).toBe(true);
  });

  it('is settled whatever becomes of its first writes', async () => {
    kv.fates.push('dropped', 'lost', 'dropped', 'lost');
    const registration = await register();
    await clock.advance(20_000);
    expect(registration.registered).toBe(true);
    expect(record()).toMatchObject({ state: 'up', by: 'p-1' });
  });

  it('asks for a new lease when etcd says that its own is gone', async () => {
    kv.goneLeases.add('1');
    const registration = await register();
    expect([session.gone, registration.registered]).toEqual([1, false]);
    session.grant('2');
    await clock.advance(0);
    expect(registration.registered).toBe(true);
    expect(kv.kvs.get(KEY)!.lease).toBe('2');
  });

  it('has moved when its key is on the new lease, and at once if it has none', async () => {
    const registration = await register();
    session.lease!.end('expired');
    await clock.advance(0);
    expect(registration.registered).toBe(false);
    const moved: string[] = [];
    kv.fates.push('dropped');
    session.grant('2');
    const { lease } = session;
    const moves = [...session.moves].map((move) => move(lease!));
    void Promise.all(moves).then(() => moved.push(kv.kvs.get(KEY)!.lease));
    await settle();
    expect(moved).toEqual([]);
    await clock.advance(2000);
    expect(moved).toEqual(['2']);
    const ended = registration.deregister();
    await ended;
  });

  it('does not outrun one who goes on deleting its key', async () => {
    await register();
    let deletions = 0;
    for (let ms = 0; ms < 60_000; ms += 20) {
      if (kv.kvs.has(KEY)) {
        deletions += 1;
        kv.delete(KEY);
      }
      await clock.advance(20);
    }
    // Some 2 s apart at the most, by chance less; without a pause it is 3,000 times.
    expect(deletions).toBeGreaterThan(20);
    expect(deletions).toBeLessThan(300);
  });

  it('rejects, and ends, for what asking again cannot help', async () => {
    kv.fates.push(new EtcdPermissionDeniedError('KV.txn', 'me'));
    const registration = await register();
    await expect(registration.stands).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    await expect(registration.drain()).rejects.toMatchObject({ code: 'REGISTRATION_ENDED' });
  });

  it('goes on asking for it once it stood: whoever took the permission may give it back', async () => {
    const registration = await register();
    const refusals = Array.from({ length: 3 }, () => new EtcdPermissionDeniedError('KV.txn', 'me'));
    kv.fates.push(...refusals);
    const drained = registration.drain();
    await clock.advance(60_000);
    await drained;
    expect(record()!.state).toBe('draining');
  });

  it('ends with its connection', async () => {
    const registration = await register();
    kv.fates.push(new ClientClosedError('test'));
    await registration.drain();
    expect(registration.isEnding).toBe(true);
  });

  it('takes away what it has put over something else, though that was never answered', async () => {
    kv.put(KEY, 'nonsense', '1');
    answers.push(null, new EtcdTimeoutError('KV.txn', 1000));
    const registration = await register();
    expect([record()?.state, registration.registered]).toEqual(['up', false]);
    await registration.deregister();
    expect(record()).toBeNull();
  });

  it('takes away what it has put long before it could ask again', async () => {
    const away = () => new EtcdUnavailableError('KV.txn', 'connect ECONNREFUSED');
    kv.fates.push('lost', ...Array.from({ length: 200 }, away));
    const registration = await register();
    await clock.advance(60_000);
    kv.fates.length = 0;
    expect(record()?.state).toBe('up');
    const ended = registration.deregister();
    await clock.advance(5000);
    await ended;
    expect(record()).toBeNull();
  });

  it('takes away what a full database has taken, though it could not be read back', async () => {
    answers.push(new EtcdNoSpaceError('KV.txn'));
    reads.push(new EtcdTimeoutError('KV.range', 1000));
    const registration = await register();
    expect([record()?.state, registration.registered]).toEqual(['up', false]);
    await registration.deregister();
    expect(record()).toBeNull();
  });

  it('asks nothing more of an etcd that has refused it from the start', async () => {
    kv.fates.push(new EtcdPermissionDeniedError('KV.txn', 'me'));
    const registration = await register();
    await registration.whenEnded();
    await registration.deregister();
    expect(kv.asked).toHaveLength(1);
    expect(looks).toBeLessThan(2);
  });

  it('goes on taking its key away when that is refused, and keeps nobody waiting for it', async () => {
    const registration = await register();
    const refusals = Array.from({ length: 4 }, () => new EtcdPermissionDeniedError('KV.txn', 'me'));
    kv.fates.push(...refusals);
    await registration.deregister();
    expect(record()?.state).toBe('up');
    await clock.advance(60_000);
    expect(record()).toBeNull();
  });

  it('no longer tries to take its key away once the lease is gone', async () => {
    const registration = await register();
    const refusals = Array.from({ length: 99 }, () => new EtcdPermissionDeniedError('A', 'me'));
    kv.fates.push(...refusals);
    await registration.deregister();
    session.lease!.end('closed');
    await clock.advance(0);
    expect(clock.pending).toBe(0);
    kv.fates.length = 0;
    kv.delete(KEY);
  });

  it.each([1, 2])(
    'takes away what came late right after look %i, while its deletion was under way',
    async (at) => {
      kv.fates.push('late');
      const registration = await register();
      await settle();
      const before = looks;
      looked = () => looks === before + at && kv.deliver();
      await registration.deregister();
      await settle();
      expect(looks).toBeGreaterThan(before + at - 1);
      expect(record()).toBeNull();
    },
  );

  it('sees what becomes of its key again after etcd has refused to show it', async () => {
    const registration = await register();
    kv.refuse(new EtcdPermissionDeniedError('A watch', 'me'));
    await clock.advance(10);
    kv.delete(KEY);
    await clock.advance(40_000);
    await clock.advance(1000);
    expect([record()?.state, registration.registered]).toEqual(['up', true]);
    kv.delete(KEY);
    await clock.advance(5000);
    expect(record()?.state).toBe('up');
  });

  it('hears the words of others again after etcd has refused to show them', async () => {
    const registration = await register();
    expect(registration.words()).toHaveLength(1);
    await settle();
    kv.refuse(new EtcdPermissionDeniedError('A watch', 'me'));
    kv.put(
      verdictKey('ns', 'orders', 'p-1', 'operator'),
      JSON.stringify({ state: 'down', by: 'x', reason: null }),
    );
    await clock.advance(40_000);
    expect(registration.words()).toMatchObject([{ state: 'up' }, { state: 'down', by: 'x' }]);
  });

  it('tells a drain at once, though it has been refused for long', async () => {
    const registration = await register();
    kv.fates.push(
      ...Array.from({ length: 8 }, () => new EtcdPermissionDeniedError('KV.txn', 'me')),
    );
    void registration.drain();
    await clock.advance(20_000);
    kv.fates.length = 0;
    expect(record()!.state).toBe('up');
    await registration.resume();
    expect(registration.state).toBe('up');
    await registration.drain();
    expect(record()!.state).toBe('draining');
  });

  it('does not resume once the application is going', async () => {
    const registration = await register();
    await registration.drainForGood();
    expect(record()!.state).toBe('draining');
    await expect(registration.resume()).rejects.toMatchObject({ code: 'REGISTRATION_ENDED' });
    expect(record()!.state).toBe('draining');
  });

  it('that nobody could see does not keep an application that is going', async () => {
    kv.put(KEY, JSON.stringify({ address: 'http://h:2', state: 'up', mark: 'other' }), '9');
    const registration = await register();
    await registration.drainForGood();
    await registration.deregister();
    kv.delete(KEY);
    session.lease!.end('expired');
    const second = await register();
    await second.drainForGood();
  });

  it('was up until etcd was told otherwise, and never if it never stood', async () => {
    kv.fates.push(new EtcdUnavailableError('KV.txn', 'connect ECONNREFUSED'));
    const registration = await register();
    expect(registration.upUntil).toBe(-Infinity);
    await clock.advance(1000);
    expect(registration.upUntil).toBe(clock.now());
    await registration.drain();
    const drainedAt = clock.now();
    await clock.advance(700);
    expect(registration.upUntil).toBe(drainedAt);
    await registration.resume();
    await clock.advance(700);
    await registration.deregister();
    const endedAt = clock.now();
    await clock.advance(700);
    expect(registration.upUntil).toBe(endedAt);
  });

  it('tells its health, and its draining before that', async () => {
    let healthy: unknown = false;
    const health = { checks: { db: () => healthy }, intervalMs: 1000, failures: 1, passes: 1 };
    const registration = await register({ health });
    expect(record()).toMatchObject({ state: 'starting', reason: '"db" answered false' });
    healthy = true;
    await clock.advance(1000);
    expect(record()).toMatchObject({ state: 'up', reason: null });
    healthy = false;
    await clock.advance(1000);
    expect(record()).toMatchObject({ state: 'down', reason: '"db" answered false' });
    await registration.drain();
    expect(record()).toMatchObject({ state: 'draining', reason: null });
    await registration.resume();
    expect(record()).toMatchObject({ state: 'down' });
  });
});
