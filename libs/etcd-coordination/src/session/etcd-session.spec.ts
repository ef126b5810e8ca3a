import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Logger } from '@nestjs/common';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import {
  ClientClosedError,
  EtcdAuthenticationError,
  EtcdUnavailableError,
  LeaseExistsError,
} from '../client/etcd.errors.js';
import { EtcdSession } from './etcd-session.js';
import type { SessionState } from './session-state.js';

/** An etcd that does as it is told, and never answers a keepalive. */
class FakeClient {
  readonly options = { connection: 'test', timeouts: { heartbeat: 1000 } };
  readonly granted: string[] = [];
  readonly revoked: string[] = [];
  away = false;
  connected: Promise<void> = Promise.resolve();
  whenConnected() {
    return this.connected;
  }
  grant = async (id: string, ttlSeconds: number) => {
    if (this.away) throw new EtcdUnavailableError('Lease.leaseGrant', 'away');
    this.granted.push(id);
    return { ID: id, TTL: String(ttlSeconds) };
  };

  leaseGrant(id: string, ttlSeconds: number) {
    return this.grant(id, ttlSeconds);
  }
  leaseTimeToLive(): Promise<{ grantedTTL: string }> {
    return Promise.resolve({ grantedTTL: '9' });
  }
  async leaseRevoke(id: string): Promise<void> {
    if (this.away) throw new EtcdUnavailableError('Lease.leaseRevoke', 'away');
    this.revoked.push(id);
  }
  openStream(): Promise<never> {
    return Promise.reject(new EtcdUnavailableError('Lease.leaseKeepAlive', 'away'));
  }
}

describe('a session', () => {
  let clock: VirtualClock;
  let client: FakeClient;
  let session: EtcdSession;
  let states: SessionState[];

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = new VirtualClock();
    client = new FakeClient();
    session = new EtcdSession(client as unknown as EtcdClient, { ttlSeconds: 5 }, clock);
    states = [];
    session.state$.subscribe((state) => states.push(state));
  });
  afterEach(async () => {
    await session.close();
    await settle();
    // Nothing is left that could wake up later.
    expect(clock.pending).toBe(0);
    expect(session.state).toBe('closed');
    vi.restoreAllMocks();
  });

  it('tells its state once each, and tells those above of a loss before it begins anew', async () => {
    await session.start();
    const lease = session.lease!;
    const told: string[] = [];
    lease.signal.addEventListener('abort', () => told.push(`lost in ${session.state}`));
    await clock.advance(4500);
    expect(told).toEqual(['lost in suspect']);
    expect(states).toEqual([
      'idle',
      'connecting',
      'active',
      'suspect',
      'lost',
      'connecting',
      'active',
    ]);
    expect(session.lease?.id).toBe(client.granted[1]);
    // The old one may still stand in etcd: others need not wait until it runs out.
    expect(client.revoked).toEqual([lease.id]);
  });

  it('asks for a lease until it gets one, with pauses, and revokes what it may have got before', async () => {
    await session.start();
    client.away = true;
    const asked: number[] = [];
    const grant = client.grant;
    client.grant = (id, ttl) => {
      asked.push(clock.now());
      return grant(id, ttl);
    };
    await clock.advance(60_000);
    expect(session.lease).toBeNull();
    expect(asked.length).toBeGreaterThan(20);
    expect(asked.length).toBeLessThan(600);
    const pauses = asked.slice(1).map((at, index) => at - asked[index]!);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(2000);
    const ready = session.ready();
    client.away = false;
    await clock.advance(2000);
    expect(await ready).toBe(session.lease);
    expect(client.revoked).toContain(client.granted[0]);
    expect(client.revoked).not.toContain(session.lease!.id);
  });

  it('says for how long etcd has refused a lease, and that it does not while etcd is merely away', async () => {
    await session.start();
    const grant = client.grant;
    const refuse = () => Promise.reject(new EtcdAuthenticationError('app', 'wrong password'));
    client.away = true;
    await clock.advance(10_000);
    expect(session.lease).toBeNull();
    expect(session.refusal).toBeNull();

    client.grant = refuse;
    await clock.advance(10_000);
    expect(session.refusal?.error.code).toBe('ETCD_AUTHENTICATION_FAILED');
    expect(session.refusal?.forMs).toBeGreaterThan(7000);

    client.grant = grant;
    await clock.advance(2000);
    expect(session.refusal).toBeNull();
    client.grant = refuse;
    await clock.advance(2000);
    expect(session.refusal?.forMs).toBeLessThanOrEqual(2000);

    client.grant = grant;
    client.away = false;
    await clock.advance(2000);
    expect(session.lease).not.toBeNull();
    expect(session.refusal).toBeNull();
  });

  it('takes a lease that is there already for its own, with the TTL that was granted', async () => {
    client.grant = () => Promise.reject(new LeaseExistsError('Lease.leaseGrant'));
    await session.start();
    expect(session.lease?.ttlMs).toBe(9000);
  });

  it('does not begin with a grant that was answered too late to be worth anything', async () => {
    client.grant = async (id, ttlSeconds) => {
      client.granted.push(id);
      clock.freeze(4600);
      return { ID: id, TTL: String(ttlSeconds) };
    };
    await expect(session.start()).rejects.toMatchObject({ code: 'SESSION_LOST' });
    expect(client.revoked).toEqual(client.granted);
    expect(states).toEqual(['idle', 'connecting', 'closing', 'closed']);
  });

  it('starts once, however often it is asked to', async () => {
    await Promise.all([session.start(), session.start()]);
    await session.start();
    expect(client.granted).toHaveLength(1);
  });

  it('takes its first lease in the background, when there is a connection and etcd grants one', async () => {
    let connect!: () => void;
    client.connected = new Promise((resolve) => (connect = resolve));
    client.away = true;
    session.startLater();
    const ready = session.ready();
    await clock.advance(60_000);
    expect(session.state).toBe('connecting');
    // Without a connection there is nobody to ask.
    expect(clock.pending).toBe(0);
    connect();
    await settle();
    await clock.advance(10_000);
    expect(session.lease).toBeNull();
    client.away = false;
    // It tries again within 2 s, and a keepalive is missed not long after.
    for (let ms = 0; ms < 2000 && !session.lease; ms += 10) await clock.advance(10);
    expect(session.lease).toBe(await ready);
    expect(states).toEqual(['idle', 'connecting', 'active']);
    expect(client.granted).toHaveLength(1);
  });

  it('takes none in the background once it was closed, and closes with its client', async () => {
    let connect!: () => void;
    client.connected = new Promise((resolve) => (connect = resolve));
    session.startLater();
    await session.close();
    connect();
    await settle();
    expect(client.granted).toEqual([]);

    client.connected = Promise.reject(new ClientClosedError('test'));
    const other = new EtcdSession(client as unknown as EtcdClient, { ttlSeconds: 5 }, clock);
    other.startLater();
    await settle();
    expect(other.state).toBe('closed');
    await expect(other.ready()).rejects.toBeInstanceOf(ClientClosedError);
  });

  it('does not start after it was closed', async () => {
    await session.close();
    await expect(session.start()).rejects.toBeInstanceOf(ClientClosedError);
    expect(client.granted).toEqual([]);
  });

  it('closes once, without a word though etcd is away, and lets nobody wait', async () => {
    await session.start();
    client.away = true;
    await clock.advance(5000);
    const waiting = session.ready().catch((error: unknown) => error);
    expect(session.close()).toBe(session.close());
    await session.close();
    expect(await waiting).toBeInstanceOf(ClientClosedError);
    expect(states.slice(-2)).toEqual(['closing', 'closed']);
  });

  it('gives a lease up that a call has shown to be gone', async () => {
    await session.start();
    const lease = session.lease!;
    session.reportGone(lease);
    expect(lease.signal.reason).toMatchObject({ reason: 'gone' });
    await clock.advance(0);
    expect(session.lease).not.toBe(lease);
    // Said of an older lease, it changes nothing.
    const next = session.lease;
    session.reportGone(lease);
    expect(session.lease).toBe(next);
  });

  describe('that others move from', () => {
    it('revokes the lost lease when all have moved, and not before', async () => {
      await session.start();
      const first = session.lease!;
      const asked: string[] = [];
      const done: (() => void)[] = [];
      for (let i = 0; i < 2; i++) {
        session.beforeRevocation((lease) => {
          asked.push(lease.id);
          return new Promise<void>((resolve) => done.push(resolve));
        });
      }
      expect(asked).toEqual([]);
      session.reportGone(first);
      await clock.advance(0);
      const { id } = session.lease!;
      expect(asked).toEqual([id, id]);
      done[0]!();
      await settle();
      expect(client.revoked).toEqual([]);
      done[1]!();
      await settle();
      expect(client.revoked).toEqual([first.id]);
    });

    it.each<[string, () => Promise<void>]>([
      ['hangs', () => new Promise(() => undefined)],
      ['fails', () => Promise.reject(new Error('boom'))],
      [
        'throws',
        () => {
          throw new Error('boom');
        },
      ],
    ])('revokes it within 2 s, though one of them %s', async (_, move) => {
      await session.start();
      const first = session.lease!;
      session.beforeRevocation(move);
      session.reportGone(first);
      await clock.advance(2000);
      expect(client.revoked).toEqual([first.id]);
    });

    it('revokes what is lost in turn with the last, and never a lease that stands', async () => {
      await session.start();
      const lost: string[] = [];
      let move: () => void = () => undefined;
      session.beforeRevocation(() => new Promise<void>((resolve) => (move = resolve)));
      for (let i = 0; i < 3; i++) {
        lost.push(session.lease!.id);
        session.reportGone(session.lease!);
        await clock.advance(100);
        expect(client.revoked).toEqual([]);
      }
      move();
      await settle();
      expect(client.revoked).toEqual(lost);
      expect(lost).not.toContain(session.lease!.id);
    });

    it('waits for none that has left, nor when it closes', async () => {
      await session.start();
      const hangs = () => new Promise(() => undefined);
      const first = session.lease!;
      session.beforeRevocation(hangs)();
      session.reportGone(first);
      await clock.advance(0);
      expect(client.revoked).toEqual([first.id]);
      session.beforeRevocation(hangs);
      const second = session.lease!;
      session.reportGone(second);
      await clock.advance(0);
      const third = session.lease!;
      await session.close();
      expect(client.revoked).toEqual([first.id, second.id, third.id]);
    });
  });

  it('draws another id for each lease, each a positive 63-bit number', async () => {
    await session.start();
    for (let i = 0; i < 20; i += 1) {
      session.reportGone(session.lease!);
      await clock.advance(0);
    }
    expect(new Set(client.granted).size).toBe(21);
    for (const id of client.granted) {
      expect(BigInt(id)).toBeGreaterThan(0n);
      expect(BigInt(id)).toBeLessThan(2n ** 63n);
    }
  });
});
