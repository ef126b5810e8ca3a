import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../test/support/virtual-clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import type { EtcdSession } from '../session/etcd-session.js';
import { SessionLease } from '../session/session-lease.js';
import { Claim } from './claim.js';
import { LockCheck } from './lock-check.js';

/** How often it looks, and from which age on, in milliseconds. */
const INTERVAL_MS = 5000;

describe('the check of locks that nobody waits for', () => {
  let lease: SessionLease;
  let session: { lease: SessionLease | null };
  let claims: Claim[];
  let gone: string[];
  /** The leases whose keys were asked for. */
  let asked: string[];
  let answer: () => Promise<{ keys: Buffer[] }>;
  let check: LockCheck;
  let clock: VirtualClock;

  beforeEach(() => {
    clock = new VirtualClock(1000);
    lease = leaseOf('31');
    session = { lease };
    [claims, gone, asked] = [[], [], []];
    answer = async () => ({ keys: [] });
    const leaseTimeToLive = (id: string, _: unknown, keys: boolean) => {
      expect(keys).toBe(true);
      asked.push(id);
      return answer();
    };
    check = new LockCheck(
      { clock, leaseTimeToLive } as unknown as EtcdClient,
      session as unknown as EtcdSession,
      () => claims,
      ({ key }) => gone.push(key),
    );
  });
  afterEach(() => check.stop());

  function leaseOf(id: string): SessionLease {
    return new SessionLease(id, 60_000, clock.now(), clock, () => undefined);
  }

  function claimOf(key: string, on = lease): Claim {
    const owner = { granted: () => undefined, lost: () => undefined };
    return new Claim(key, 0, false, false, on, owner);
  }

  function granted(key: string, on = lease): Claim {
    const claim = claimOf(key, on);
    claim.stand('7');
    claim.grant();
    claims.push(claim);
    return claim;
  }

  const pass = (ms: number) => clock.advance(ms);
  const shows = (...keys: string[]) => {
    answer = async () => ({ keys: keys.map((key) => Buffer.from(key)) });
  };

  it('tells whose key is gone, and asks once for all', async () => {
    for (const key of ['a', 'b', 'ü']) granted(key);
    await pass(1);
    shows('a', 'ü', 'somebody else’s');
    check.start();
    await pass(INTERVAL_MS);
    expect(asked).toEqual(['31']);
    expect(gone).toEqual(['b']);
    await pass(2 * INTERVAL_MS);
    expect(asked).toHaveLength(3);
  });

  it('asks for nobody when there is nobody', async () => {
    check.start();
    await pass(3 * INTERVAL_MS);
    expect(asked).toEqual([]);
  });

  it('leaves those alone that came to stand after the answer may have been made', async () => {
    check.start();
    await pass(1);
    granted('young');
    await pass(INTERVAL_MS - 1);
    expect(asked).toEqual([]);
    await pass(INTERVAL_MS);
    expect(gone).toEqual(['young']);
  });

  it('looks only at those that were granted and are not over, on the lease that stands', async () => {
    claims.push(claimOf('entering'));
    const waiting = claimOf('waiting');
    waiting.stand('8');
    waiting.state = 'waiting';
    claims.push(waiting);
    granted('over').end(null);
    granted('on an earlier lease', leaseOf('30'));
    check.start();
    await pass(2 * INTERVAL_MS);
    expect(asked).toEqual([]);
    granted('granted');
    await pass(2 * INTERVAL_MS + 1);
    expect(gone).toEqual(['granted']);
  });

  it('asks nothing while there is no lease', async () => {
    granted('a');
    session.lease = null;
    check.start();
    await pass(3 * INTERVAL_MS);
    expect(asked).toEqual([]);
  });

  it('does not call gone what came while the answer was on its way', async () => {
    granted('old');
    await pass(1);
    let arrive: ((answer: { keys: Buffer[] }) => void) | undefined;
    answer = () => new Promise((resolve) => (arrive = resolve));
    check.start();
    await pass(INTERVAL_MS);
    granted('new');
    arrive!({ keys: [] });
    await pass(0);
    expect(gone).toEqual(['old']);
  });

  it('does not ask again before it was answered', async () => {
    granted('a');
    await pass(1);
    let arrive: ((answer: { keys: Buffer[] }) => void) | undefined;
    answer = () => new Promise((resolve) => (arrive = resolve));
    check.start();
    await pass(4 * INTERVAL_MS);
    expect(asked).toHaveLength(1);
    arrive!({ keys: [] });
    await pass(INTERVAL_MS);
    expect(asked).toHaveLength(2);
  });

  it('takes no answer for nothing, and asks again', async () => {
    granted('a');
    await pass(1);
    answer = () => Promise.reject(new Error('etcd is away'));
    check.start();
    await pass(INTERVAL_MS);
    expect(gone).toEqual([]);
    shows();
    await pass(INTERVAL_MS);
    expect(gone).toEqual(['a']);
  });

  it('stops, and begins again, and has one timer however often it is begun', async () => {
    granted('a');
    await pass(1);
    shows('a');
    check.start();
    check.start();
    // Beside the lease's own.
    expect(clock.pending).toBe(2);
    check.stop();
    await pass(2 * INTERVAL_MS);
    expect(asked).toEqual([]);
    check.start();
    await pass(INTERVAL_MS);
    expect(asked).toHaveLength(1);
  });
});
