import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import type { StreamHandlers } from '../client/duplex-stream.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdTimeoutError, EtcdUnavailableError } from '../client/etcd.errors.js';
import { EtcdSession } from './etcd-session.js';

const TTL_S = 3;
const TTL_MS = TTL_S * 1000;

/** How the network is, until it is told otherwise. Infinite: nothing comes. */
interface Network {
  readonly toServerMs: number;
  readonly toClientMs: number;
}

type Step =
  | (Network & { readonly do: 'network' })
  | { readonly do: 'wait'; readonly ms: number }
  /** The process stands still; etcd, and what is under way, does not. */
  | { readonly do: 'freeze'; readonly ms: number }
  /** The member ends its streams, and refuses new ones for a while. */
  | { readonly do: 'end-streams'; readonly refused: boolean };

const latency = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 50 }) },
  // Later than the margin that a lease leaves, and sooner than its owner asks again.
  { weight: 3, arbitrary: fc.integer({ min: 300, max: 900 }) },
  { weight: 1, arbitrary: fc.integer({ min: 900, max: 2500 }) },
  { weight: 1, arbitrary: fc.constant(Infinity) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('network' as const), toServerMs: latency, toClientMs: latency }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 2000 }) }),
  fc.record({ do: fc.constant('freeze' as const), ms: fc.integer({ min: 1, max: 8000 }) }),
  fc.record({ do: fc.constant('end-streams' as const), refused: fc.boolean() }),
);

/** A member behind a network, for one process, all on one virtual clock. It lets no lease go before its TTL is over. */
class FarEtcd {
  readonly options = { connection: 'test', timeouts: { heartbeat: 1000 } };
  readonly clock: VirtualClock;
  network: Network = { toServerMs: 1, toClientMs: 1 };
  refuses = false;
  private readonly streams = new Set<StreamHandlers<{ TTL: string }>>();
  /** When each lease was granted and heard of. */
  private readonly heard = new Map<string, number[]>();

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  whenConnected = () => Promise.resolve();
  renewToken = () => undefined;

  leaseGrant(id: string, ttlSeconds: number): Promise<{ ID: string; TTL: string }> {
    const { toServerMs, toClientMs } = this.network;
    const arrives = this.clock.now() + toServerMs;
    if (arrives < Infinity) this.heard.set(id, [arrives]);
    return new Promise((resolve, reject) => {
      this.clock.setTimer(() => reject(new EtcdTimeoutError('Lease.leaseGrant', 3000)), 3000);
      this.after(toServerMs + toClientMs, () => resolve({ ID: id, TTL: String(ttlSeconds) }));
    });
  }

  leaseTimeToLive = () => Promise.resolve({ grantedTTL: String(TTL_S) });

  leaseRevoke(id: string): Promise<void> {
    const at = this.clock.now() + this.network.toServerMs;
    if (at < Infinity) this.heard.set(id, [...(this.heard.get(id) ?? []), -at]);
    return Promise.resolve();
  }

  openStream(_method: unknown, handlers: StreamHandlers<{ TTL: string }>): Promise<unknown> {
    if (this.refuses) return Promise.reject(new EtcdUnavailableError('Lease.leaseKeepAlive', 'no'));
    this.streams.add(handlers);
    const cancel = () => void this.streams.delete(handlers);
    return Promise.resolve({
      ...{ endpoint: { failed: () => undefined }, cancel },
      write: ({ ID }: { ID: string }) => this.keepAlive(ID, handlers),
    });
  }

  endStreams(): void {
    for (const stream of [...this.streams]) {
      this.streams.delete(stream);
      stream.end({ code: 14, details: 'the member went away' } as never);
    }
  }

  /** Until when the lease stands, by what had been heard of it at that moment. */
  standsUntil(id: string, now: number): number {
    let until = -Infinity;
    const heard = [...(this.heard.get(id) ?? [])].sort((a, b) => Math.abs(a) - Math.abs(b));
    for (const at of heard) {
      if (Math.abs(at) > now) break;
      if (at < 0) return -at;
      // What comes when the lease is gone brings it back for nobody.
      if (until === -Infinity || at < until) until = at + TTL_MS;
    }
    return until;
  }

  private keepAlive(id: string, stream: StreamHandlers<{ TTL: string }>): void {
    const { toServerMs, toClientMs } = this.network;
    const arrives = this.clock.now() + toServerMs;
    if (arrives === Infinity) return;
    const stands = arrives < this.standsUntil(id, arrives);
    if (stands) this.heard.get(id)!.push(arrives);
    this.after(toServerMs + toClientMs, () => {
      if (this.streams.has(stream)) stream.data({ TTL: stands ? String(TTL_S) : '0' });
    });
  }

  private after(ms: number, callback: () => void): void {
    if (ms < Infinity) this.clock.setTimer(callback, ms);
  }
}

describe('a session', () => {
  beforeEach(() => Logger.overrideLogger(false));

  it('has no lease that etcd may have let go, whatever the network and the process go through', async () => {
    let held = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
        const clock = new VirtualClock();
        const etcd = new FarEtcd(clock);
        const session = new EtcdSession(
          etcd as unknown as EtcdClient,
          { ttlSeconds: TTL_S },
          clock,
        );
        const look = () => {
          const { lease } = session;
          if (!lease) return;
          held += 1;
          expect(clock.now()).toBeLessThan(etcd.standsUntil(lease.id, clock.now()));
          expect(clock.now() + lease.remainingMs()).toBeLessThan(
            etcd.standsUntil(lease.id, clock.now()),
          );
        };
        session.startLater();
        for (const one of steps) {
          if (one.do === 'network') etcd.network = one;
          if (one.do === 'end-streams') {
            etcd.refuses = one.refused;
            etcd.endStreams();
          }
          if (one.do === 'freeze') clock.freeze(one.ms);
          look();
          for (let left = one.do === 'wait' ? one.ms : 0; left > 0; left -= 100) {
            await clock.advance(Math.min(100, left));
            look();
          }
        }
        await session.close();
        await settle();
        expect(session.lease).toBeNull();
      }),
      { numRuns: 250 },
    );
    // Otherwise nothing was proved.
    expect(held).toBeGreaterThan(100);
  });
});
