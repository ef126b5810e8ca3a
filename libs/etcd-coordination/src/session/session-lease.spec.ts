import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import { safetyMargin, SessionLease } from './session-lease.js';
import { SessionLostError, type LeaseEndReason } from './session-lost.error.js';

function grant(ttlMs = 5000) {
  const clock = new VirtualClock();
  const ends: LeaseEndReason[] = [];
  const sentAt = clock.now();
  const lease = new SessionLease('255', ttlMs, sentAt, clock, (reason) => ends.push(reason));
  return { clock, ends, lease, sentAt };
}

describe('the deadline of a lease', () => {
  it('is the TTL after the grant was sent, less a margin', async () => {
    const { clock, ends, lease } = grant(5000);
    await clock.advance(4499);
    expect(lease.isValid()).toBe(true);
    expect(lease.remainingMs()).toBeCloseTo(1);
    expect(ends).toEqual([]);
    await clock.advance(1);
    expect(ends).toEqual(['expired']);
    expect(lease.isValid()).toBe(false);
    expect(lease.remainingMs()).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('counts from the grant although its answer came late', () => {
    const clock = new VirtualClock();
    const sentAt = clock.now();
    clock.freeze(4000);
    const lease = new SessionLease('1', 5000, sentAt, clock, () => undefined);
    expect(lease.remainingMs()).toBe(500);
  });

  it.each([
    [1000, 100],
    [2000, 200],
    [5000, 500],
    [10_000, 1000],
    [60_000, 1000],
  ])('leaves a margin: TTL %i ms, margin %i ms', (ttlMs, margin) => {
    expect(safetyMargin(ttlMs)).toBe(margin);
  });

  it('moves with the keepalives that were answered, by when they were sent', async () => {
    const { clock, lease, sentAt } = grant(5000);
    await clock.advance(3000);
    lease.renew(sentAt + 1700);
    expect(lease.remainingMs()).toBe(1700 + 4500 - 3000);
    await clock.advance(3199);
    expect(lease.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(lease.signal.aborted).toBe(true);
  });

  it('is not brought back by an answer that comes after it', () => {
    const { clock, ends, lease } = grant(5000);
    clock.freeze(4600);
    lease.renew(clock.now());
    expect(lease.isValid()).toBe(false);
    expect(ends).toEqual(['expired']);
  });

  it('holds for any order of answers: the latest one sent before the deadline counts', () => {
    const step = fc.record({ wait: fc.nat(3000), ago: fc.nat(3000) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.array(step), (ttl, steps) => {
        const ttlMs = ttl * 1000;
        const { clock, lease, sentAt, ends } = grant(ttlMs);
        let newest = sentAt;
        let over = false;
        for (const { wait, ago } of steps) {
          clock.freeze(wait);
          over ||= clock.now() >= newest + ttlMs - safetyMargin(ttlMs);
          const answeredAt = Math.max(sentAt, clock.now() - ago);
          lease.renew(answeredAt);
          if (!over) newest = Math.max(newest, answeredAt);
          over ||= clock.now() >= newest + ttlMs - safetyMargin(ttlMs);
          expect(lease.signal.aborted).toBe(over);
          expect(lease.isValid()).toBe(!over);
        }
        expect(ends).toEqual(over ? ['expired'] : []);
      }),
    );
  });
});

describe('the signal of a lease', () => {
  it('is aborted in the first look after a block, before any timer could fire', () => {
    const { clock, lease } = grant(5000);
    expect(lease.signal.aborted).toBe(false);
    clock.freeze(60_000);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toBeInstanceOf(SessionLostError);
  });

  it('throws in the first look after a block', () => {
    const { clock, lease } = grant(5000);
    lease.signal.throwIfAborted();
    clock.freeze(60_000);
    expect(() => lease.signal.throwIfAborted()).toThrow(SessionLostError);
  });

  it.each<[LeaseEndReason, string]>([
    ['gone', 'revoked or has expired'],
    ['closed', 'the session was closed'],
    ['expired', 'no keepalive was answered before its deadline'],
  ])('says why: %s', (reason, words) => {
    const { lease } = grant();
    lease.end(reason);
    expect(lease.signal.reason).toMatchObject({ code: 'SESSION_LOST', reason, leaseId: '255' });
    expect((lease.signal.reason as Error).message).toContain(`lease ff `);
    expect((lease.signal.reason as Error).message).toContain(words);
  });

  it('tells listeners once, before the owner hears of the end', () => {
    const clock = new VirtualClock();
    const told: string[] = [];
    const lease = new SessionLease('1', 5000, clock.now(), clock, () => told.push('owner'));
    lease.signal.addEventListener('abort', () => told.push('listener'));
    lease.end('gone');
    lease.end('closed');
    clock.freeze(60_000);
    expect(lease.isValid()).toBe(false);
    expect(told).toEqual(['listener', 'owner']);
    expect((lease.signal.reason as SessionLostError).reason).toBe('gone');
    expect(clock.pending).toBe(0);
  });

  it('passes its end on to signals made of it', async () => {
    const { clock, lease } = grant(5000);
    const any = AbortSignal.any([lease.signal, new AbortController().signal]);
    await clock.advance(5000);
    await settle();
    expect(any.aborted).toBe(true);
    expect(any.reason).toBeInstanceOf(SessionLostError);
  });

  it('takes any number of listeners without a warning', () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const { lease } = grant();
    for (let i = 0; i < 100; i += 1) lease.signal.addEventListener('abort', () => undefined);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });
});
