import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import { SessionLease } from '../session/session-lease.js';
import { Claim, type ClaimOwner } from './claim.js';
import type { ClaimQueue } from './claim-queue.js';
import { LocalQueue } from './local-queue.js';
import type { OwnLock } from './own-lock.js';
import type { QueueGround } from './queue-ground.js';

type Step =
  | { readonly do: 'ask' }
  | { readonly do: 'give-up'; readonly who: number }
  | { readonly do: 'release' }
  /** Another process comes to stand in etcd's queue, or the first of it goes. */
  | { readonly do: 'others-come' }
  | { readonly do: 'others-go' }
  | { readonly do: 'lose-lease' }
  | { readonly do: 'turn' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ do: 'ask' } as const) },
  { weight: 5, arbitrary: fc.constant({ do: 'release' } as const) },
  { weight: 1, arbitrary: fc.nat(5).map((who) => ({ do: 'give-up', who }) as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'others-come' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'others-go' } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'lose-lease' } as const) },
  { weight: 4, arbitrary: fc.constant({ do: 'turn' } as const) },
);

const OTHER = 'other';

/** Etcd's queue of one lock, and the lease of this process. */
class Etcd {
  readonly clock = new VirtualClock();
  readonly queue: (Claim | typeof OTHER)[] = [];
  lease = this.newLease();
  private revision = 1;
  private leases = 0;

  readonly claims = {
    observe: () => undefined,
    unobserve: () => undefined,
    holder: null,
    claim: (lease: SessionLease, owner: ClaimOwner, { keep = false }) =>
      new Claim(`queue/${(this.revision += 1)}`, 0, false, keep, lease, owner),
    enter: async (claim: Claim, leaving?: Claim) => {
      leaving?.end(null);
      await settle();
      if (leaving) this.remove(leaving);
      if (claim.state !== 'entering') return;
      this.queue.push(claim);
      claim.stand(String((this.revision += 1)));
      claim.state = 'waiting';
      this.grantFirst();
    },
    withdraw: async (claim: Claim) => {
      claim.end(null);
      await settle();
      this.remove(claim);
      return true;
    },
    mayOthersWait: () => this.queue.includes(OTHER),
    seesOthers: () => this.queue.includes(OTHER),
  };

  come(): void {
    this.queue.push(OTHER);
  }

  go(): void {
    const at = this.queue.indexOf(OTHER);
    if (at >= 0) this.queue.splice(at, 1);
    this.grantFirst();
  }

  loseLease(): void {
    const lost = this.queue.filter((one): one is Claim => one !== OTHER);
    const { lease } = this;
    this.lease = this.newLease();
    lease.end('expired');
    for (const claim of lost) {
      this.remove(claim);
      claim.end('session-lost');
    }
  }

  private grantFirst(): void {
    const [first] = this.queue;
    if (first !== undefined && first !== OTHER) first.grant();
  }

  private remove(claim: Claim): void {
    const at = this.queue.indexOf(claim);
    if (at >= 0) this.queue.splice(at, 1);
    this.grantFirst();
  }

  private newLease(): SessionLease {
    this.leases = (this.leases ?? 0) + 1;
    const { clock } = this;
    return new SessionLease(String(this.leases), 1e9, clock.now(), clock, () => undefined);
  }
}

/** Those of this process who want the lock, in the order in which they asked. */
class Askers {
  readonly etcd = new Etcd();
  readonly granted: { readonly who: number; readonly lock: OwnLock }[] = [];
  private readonly waiting: { readonly who: number; readonly abort: AbortController }[] = [];
  private readonly released = new Set<OwnLock>();
  private asked = 0;
  private readonly queue: LocalQueue;

  constructor(localTurns: number) {
    const { etcd } = this;
    const ground = {
      ...{ client: { clock: etcd.clock }, instanceId: 'me' },
      session: { ready: () => Promise.resolve(etcd.lease) },
    } as unknown as QueueGround;
    const limits = { localTurns, localMs: Infinity };
    const claims = etcd.claims as unknown as ClaimQueue;
    this.queue = new LocalQueue('a', 'lock/a', ground, claims, limits, () => undefined);
  }

  get isIdle(): boolean {
    return this.waiting.length === 0;
  }

  async do(step: Step): Promise<void> {
    if (step.do === 'ask') this.ask();
    if (step.do === 'give-up') await this.giveUp(step.who);
    if (step.do === 'release') await this.release();
    if (step.do === 'others-come') this.etcd.come();
    if (step.do === 'others-go') this.etcd.go();
    if (step.do === 'lose-lease') this.etcd.loseLease();
    if (step.do === 'turn') await settle();
    this.look();
  }

  /** One owner at most, who is the first in etcd's queue; and tokens rise. */
  private look(): void {
    const valid = this.granted.filter(({ lock }) => lock.isValid());
    expect(valid.length).toBeLessThanOrEqual(1);
    if (valid[0]) expect(this.etcd.queue[0]).toBe(valid[0].lock.claim);
    for (const { lock } of this.granted)
      if (!this.released.has(lock)) {
        expect(lock.signal.aborted).toBe(!lock.isValid());
      }
    const tokens = this.granted.map(({ lock }) => lock.token);
    for (const [index, token] of tokens.slice(1).entries()) {
      expect(token).toBeGreaterThan(tokens[index]!);
    }
  }

  private ask(): void {
    const abort = new AbortController();
    const one = { who: (this.asked += 1), abort };
    this.waiting.push(one);
    this.queue.acquire({ signal: abort.signal }).then(
      (lock) => {
        // First come, first served.
        expect(this.waiting.shift()).toBe(one);
        // Whoever listens from the beginning is told.
        expect(lock.signal.aborted).toBe(false);
        this.granted.push({ who: one.who, lock });
        this.look();
      },
      () => undefined,
    );
  }

  /** One who waits and may have been granted it by now, unheard: that one has it. */
  private async giveUp(which: number): Promise<void> {
    await settle();
    const [one] = this.waiting.splice(which, 1);
    one?.abort.abort();
    await settle();
  }

  private async release(): Promise<void> {
    const last = this.granted.at(-1)?.lock;
    if (!last) return;
    this.released.add(last);
    await last.release();
  }
}

describe('those of one process who want one lock', () => {
  it('have it one at a time, in the order in which they came, with rising tokens, all in the end', async () => {
    let grants = 0;
    const steps = fc.array(step, { minLength: 20, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (all, localTurns) => {
        const askers = new Askers(localTurns);
        for (const one of all) await askers.do(one);
        for (let rounds = 0; !askers.isIdle; rounds += 1) {
          expect(rounds).toBeLessThan(1000);
          for (const last of ['others-go', 'release', 'turn'] as const) {
            await askers.do({ do: last });
          }
        }
        grants += askers.granted.length;
      }),
      { numRuns: 200 },
    );
    // Otherwise nothing was proved.
    expect(grants).toBeGreaterThan(500);
  });
});
