import { Logger } from '@nestjs/common';
import type { MonotonicClock } from '../../client/clock.js';
import type { LiveDocument } from '../live-documents.js';
import { FleetShare, type ShareNow } from './fleet-share.js';
import { KeyBuckets } from './key-buckets.js';
import type { RateLimitDecision } from './rate-limit-decision.js';
import type { RateLimitRule } from './rate-limit-rule.js';
import { InvalidRateLimitCallError } from './rate-limit.errors.js';
import type { RateLimiterGround, Usage } from './share-ground.js';
import { TokenBucket, type BucketPace } from './token-bucket.js';

/** What a call is told that cannot be said when to come back. */
const UNKNOWN_WAIT_MS = 1000;
/** Of the calls that have no key, where each key has a limit of its own. */
const NO_KEY = '';
const WHOLE: ShareNow = {
  ...{ rate: 1, part: 1, members: 1, lent: 0, borrowed: 0 },
  ...{ isConfirmed: true, out: null, until: Infinity },
};

/** One rule in this process: its numbers, its share, and what of it is used up. */
export class RuleLimiter {
  private readonly logger = new Logger('RateLimiter');
  private bucket: TokenBucket;
  /** Whether it is yet to have anything of a fleet's limit. */
  private isNewcomer: boolean;
  private keys: KeyBuckets;
  private pace: BucketPace = { perMs: 0, capacity: Infinity };
  private share: FleetShare | null = null;
  private present: ShareNow = WHOLE;
  private offered = 0;
  private wasRefused = false;
  private readonly unsubscribe: () => void;
  private readonly clock: MonotonicClock;
  private closed = false;
  /** Whether etcd's word on the rule is known, or what stands in for it. */
  private isKnown = false;
  private isCostSaid = false;
  private isOverflowSaid = false;
  /** Shares that were given back before. */
  private left: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly ground: RateLimiterGround,
    private readonly document: LiveDocument<RateLimitRule>,
    private readonly declared: RateLimitRule,
    private readonly changed: () => void,
  ) {
    this.clock = ground.client.clock;
    const { mode, burst } = this.rule;
    const now = this.clock.now();
    this.isNewcomer = mode === 'fleet';
    this.bucket = new TokenBucket(this.isNewcomer ? 0 : burst, now);
    this.keys = this.noKeys();
    this.unsubscribe = document.onChange(() => this.turned());
    this.turned();
    document.ready().then(
      () => (this.isKnown = true),
      // Whoever waits for it is told.
      () => undefined,
    );
  }

  /** As it stands now. */
  get rule(): RateLimitRule {
    return this.document.value;
  }

  /** What this process has of it now. */
  get shareNow(): ShareNow {
    this.refresh(this.clock.now());
    return this.present;
  }

  /** Resolves once the rule is known, and the share if there is one. */
  async ready(): Promise<void> {
    await this.document.ready();
    await this.share?.joined();
  }

  /** Decides on a call, and counts it if it is let through. Makes no call itself. */
  check(key: string | undefined, cost: number): RateLimitDecision {
    const now = this.clock.now();
    if (now >= this.present.until) this.refresh(now);
    const { rule, pace } = this;
    if (typeof cost !== 'number' || !(cost > 0 && cost <= rule.burst)) this.assertCost(cost);
    if (rule.key === 'none' && key !== undefined) assertKey(this.document.name, this.declared);
    const bucket = rule.key === 'none' ? this.bucket : this.keys.of(key ?? NO_KEY, now, pace);
    const isOut = this.present.rate === 0;
    const allowed = !isOut && bucket.take(now, cost, pace);
    if (this.share) this.offered += cost;
    if (!allowed) this.wasRefused = true;
    return {
      allowed,
      refusal: allowed ? null : (this.present.out ?? 'used-up'),
      limit: rule.limit,
      remaining: isOut ? 0 : bucket.tokens,
      retryAfterMs: allowed ? 0 : isOut ? UNKNOWN_WAIT_MS : finite(bucket.waitMs(cost, pace)),
      resetMs: finite(bucket.waitMs(pace.capacity, pace)),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.unsubscribe();
    await Promise.all([this.share?.close(), this.left]);
  }

  /** The numbers have changed: what was used up stays so. */
  private turned(): void {
    const { mode, key, maxKeys } = this.rule;
    if (mode === 'fleet' && !this.share && !this.closed) this.share = this.takePart();
    if (mode === 'instance' && this.share) this.leave(this.share);
    if (key === 'none' && this.keys.size > 0) this.keys = this.noKeys();
    this.keys.most = maxKeys;
    this.isCostSaid = false;
    this.refresh(this.clock.now());
    this.changed();
  }

  private leave(share: FleetShare): void {
    // First, so that nothing is capped by a share that is over.
    this.share = null;
    this.left = Promise.all([this.left, share.close()]);
  }

  /** What this process has of the limit may be another part of it, from now on or since the last one was over. */
  private refresh(now: number): void {
    const before = this.present;
    const present = this.share?.now(now) ?? WHOLE;
    const { rate, part, members, lent, borrowed } = present;
    const { limit, windowMs, burst } = this.rule;
    const perMs = (limit / windowMs) * rate;
    // A process that has any share has room for one call. While it may use nothing it does not fill up, but
    // keeps what it has: a key that has used nothing is not to be taken for one that has used up all.
    const capacity = Math.max(1, burst * part);
    if (perMs !== this.pace.perMs || capacity !== this.pace.capacity) {
      this.fill(Math.min(now, before.until));
      this.pace = { perMs, capacity };
    }
    if (this.isNewcomer && rate > 0) this.welcome(now, burst * part);
    this.present = present;
    const isSame =
      before.rate === rate &&
      before.members === members &&
      before.lent === lent &&
      before.borrowed === borrowed &&
      before.isConfirmed === present.isConfirmed;
    if (!isSame) this.changed();
  }

  /**
   * A newcomer has yet to earn its burst. It begins with no more than one call, or as much of one as its share
   * has room for: with none, a limit of a few calls a minute would refuse all of them after each start, and let
   * none through where starts are frequent. So each start may add that one call to what the limit lets through.
   */
  private welcome(now: number, room: number): void {
    this.isNewcomer = false;
    this.bucket = new TokenBucket(Math.min(1, room), now);
  }

  /** Brings everything up to that moment, at the pace that held until then. */
  private fill(now: number): void {
    this.bucket.fill(now, this.pace);
    this.keys.fill(now, this.pace);
  }

  private noKeys(): KeyBuckets {
    return new KeyBuckets(this.rule.maxKeys, () => this.sayOverflow());
  }

  private sayOverflow(): void {
    if (this.isOverflowSaid) return;
    this.isOverflowSaid = true;
    this.logger.warn(
      `More keys than ${this.rule.maxKeys} are known under the limit "${this.document.name}" at a time: those beyond share one limit, and may be refused for each other. If they are no abuse, raise its "maxKeys", or shorten its "windowMs".`,
    );
  }

  private takePart(): FleetShare {
    // What was asked before says nothing of this share.
    this.takeUsage();
    return new FleetShare(this.ground, {
      name: this.document.name,
      goesOn: this.isKnown,
      lends: () => this.rule.key === 'none',
      perMs: () => this.rule.limit / this.rule.windowMs,
      takeUsage: () => this.takeUsage(),
      changed: () => this.refresh(this.clock.now()),
    });
  }

  private takeUsage(): Usage {
    const { offered, wasRefused } = this;
    this.offered = 0;
    this.wasRefused = false;
    return { offered, wasRefused };
  }

  /**
   * A document may turn the burst to less than what calls cost. They are not to fail for that: one is let
   * through by a full bucket then, which owes the rest.
   */
  private assertCost(cost: unknown): void {
    const { document, declared, rule } = this;
    const burst = Math.max(declared.burst, rule.burst);
    if (!(typeof cost === 'number' && cost > 0 && cost <= burst)) {
      throw wrongCost(document.name, cost, burst);
    }
    if (this.isCostSaid) return;
    this.isCostSaid = true;
    this.logger.warn(
      `Calls under the limit "${document.name}" cost ${cost}, more than its burst, which was turned to ${rule.burst}: each of them waits until the whole burst is there.`,
    );
  }
}

/** @throws {InvalidRateLimitCallError} for a key in code where the rule was declared without one */
export function assertKey(rule: string, declared: RateLimitRule, place?: string): void {
  if (declared.key !== 'none') return;
  throw new InvalidRateLimitCallError(
    rule,
    `${by(place)}gives a key, and the limit is declared without one, for all calls together: declare it with key: "call", or give no key`,
  );
}

export function wrongCost(
  rule: string,
  cost: unknown,
  burst: number,
  place?: string,
): InvalidRateLimitCallError {
  return new InvalidRateLimitCallError(
    rule,
    `${by(place)}costs ${String(cost)}: give a number above 0, up to the burst of ${burst}, or raise the "burst" of the limit`,
  );
}

/** Who calls, where it is known. */
function by(place: string | undefined): string {
  return place === undefined ? '' : `by ${place} `;
}

function finite(ms: number): number {
  return Number.isFinite(ms) ? ms : UNKNOWN_WAIT_MS;
}
