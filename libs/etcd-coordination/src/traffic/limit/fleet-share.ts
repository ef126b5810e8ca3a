import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { Bell } from '../../client/bell.js';
import { every, pause, type MonotonicClock } from '../../client/clock.js';
import { ClientClosedError, LeaseNotFoundError } from '../../client/etcd.errors.js';
import { isFinalFailure } from '../../client/final-failure.js';
import { limitShareId, limitSharesPrefix } from '../../client/keys.js';
import { settledWithin } from '../../client/settled-within.js';
import type { SessionLease } from '../../session/session-lease.js';
import { Demand } from './demand.js';
import { Presence } from './presence.js';
import type { RateLimitRefusal } from './rate-limit-decision.js';
import type { RateLimiterGround, SharedRule } from './share-ground.js';
import { Borrowed, grantsFor, Lent, type Request } from './share-lending.js';
import { MISSED_BEATS, ShareMembers } from './share-members.js';
import { encodeShareRecord, type ShareRecord } from './share-record.js';
import { ShareMoves } from './share-moves.js';
import { ShareTrouble } from './share-trouble.js';
import { ShareView } from './share-view.js';

/** Between two words of a process whose share is in use; of many, so that all together say 40 a second. */
const BEAT_MS = 500;
const BEAT_MS_EACH = 25;
/** What is lent is counted on for so long, or for so many beats. */
const LENT_MS = 3000;
const LENT_BEATS = 4;
/** A share is asked for anew at least every so many milliseconds: what time alone has ended, ends then. */
const REFRESH_MS = 100;
/** A farewell is worth so long a wait: without it, the lease says the same. */
const FAREWELL_MS = 1000;

/** What this process has of a fleet's limit, in parts of it from 0 to 1. */
export interface ShareNow {
  /** What it may use: its own share, less what is lent, with what is borrowed. */
  readonly rate: number;
  /** What that is, or will be, as the others reckon with it; so it stands while it may use nothing. */
  readonly part: number;
  readonly members: number;
  readonly lent: number;
  readonly borrowed: number;
  /** Whether nobody can have taken its share for free. */
  readonly isConfirmed: boolean;
  /** Why it may use nothing; null while it may. */
  readonly out: RateLimitRefusal | null;
  /** Until when that is so, by time alone. */
  readonly until: number;
}

/**
 * This process's share of a fleet's limit: an equal part for each who takes part, by a record on the
 * session's lease that everybody follows.
 *
 * - A newcomer has nothing before it has seen its own record and the others have had the time to do so. One
 *   whose limit is turned from its own to the fleet's goes on meanwhile, with its part of it as it sees it:
 *   so are all the others, and nobody had less before.
 * - A share that is in use is beaten for, in that the record is put again; who misses three beats is taken
 *   for dead long before its lease is over. Who was held up itself has nothing before its next beat is seen.
 * - What is not used is lent, for seconds at a time, by words in the same records.
 * - Without etcd the last share stands.
 */
export class FleetShare {
  private readonly self: string;
  private readonly key: Buffer;
  private readonly members: ShareMembers;
  private readonly view: ShareView;
  private readonly presence: Presence;
  private readonly lent = new Lent((to, now) =>
    this.members.counts(to, now, this.view.isAfterOutage),
  );
  private readonly borrowed = new Borrowed();
  private readonly demand: Demand;
  private readonly bell: Bell;
  private readonly leaving = new AbortController();
  private readonly ends: (() => void)[];
  private readonly finished: Promise<void>;
  private readonly moves = new ShareMoves();
  private readonly trouble: ShareTrouble;
  private lease: SessionLease | null = null;
  private stands: { readonly lease: string; readonly revision: bigint } | null = null;
  private told: ShareRecord | null = null;
  /** Whether etcd has it that nothing is to be heard of this process. */
  private isQuiet = false;
  private beat = 0;
  private toldAt = -Infinity;

  constructor(
    private readonly ground: RateLimiterGround,
    private readonly rule: SharedRule,
  ) {
    const { client, session, namespace, instanceId } = ground;
    const prefix = limitSharesPrefix(namespace, rule.name);
    // Two processes of one name have two shares, as have one that was killed and its successor.
    this.self = limitShareId(instanceId, randomBytes(4).toString('hex'));
    this.key = Buffer.from(prefix + this.self);
    this.members = new ShareMembers(this.self);
    this.bell = new Bell(this.clock);
    this.trouble = new ShareTrouble(rule.name, new Logger('RateLimiter'));
    this.demand = new Demand(rule, this.clock.now());
    this.presence = new Presence(this.clock, client.isAwaited, rule.goesOn, {
      heldUp: () => this.heldUp(),
      isWatched: () => this.isWatched,
      joined: () => this.rule.changed(),
    });
    this.view = new ShareView(
      ground,
      prefix,
      () => this.seen(),
      (error) => this.presence.refused(error),
    );
    this.ends = [
      // A lease that was lost is revoked when the record is on the new one.
      session.beforeRevocation(({ id }) => this.moves.to(id)),
      every(this.clock, REFRESH_MS, () => this.presence.turn(this.clock.now()), { unref: true }),
    ];
    this.finished = this.run();
  }

  /** Resolves when it has a share. Rejects if etcd refuses to have it take part; without etcd it goes by what it knows. */
  joined(): Promise<void> {
    return this.presence.joined();
  }

  /** What it has now. Makes no call. */
  now(now: number): ShareNow {
    this.presence.turn(now);
    const members = this.members.count(now, this.view.isAfterOutage);
    const share = 1 / members;
    const { rate: borrowed, until } = this.borrowed.rate(now, this.self, this.lenders(now), share);
    const lent = this.lent.rate(now, share);
    const out = this.outFor(now);
    const part = share - lent + borrowed;
    const rate = out === null ? part : 0;
    const isConfirmed = this.presence.isConfirmed(now, MISSED_BEATS * this.everyMs);
    const isSoUntil = Math.min(until, now + REFRESH_MS);
    return { rate, part, members, lent, borrowed, isConfirmed, out, until: isSoUntil };
  }

  private outFor(now: number): RateLimitRefusal | null {
    if (this.leaving.signal.aborted) return 'closing';
    if (this.presence.admits(now)) return null;
    return this.presence.isHeldUp(now) ? 'held-up' : 'joining';
  }

  /** Gives its share back, and has the others told. Never rejects. */
  close(): Promise<void> {
    if (!this.leaving.signal.aborted) {
      this.leaving.abort();
      this.rule.changed();
      this.presence.close();
      for (const end of this.ends) end();
      this.bell.ring();
    }
    return this.finished;
  }

  private get clock(): MonotonicClock {
    return this.ground.client.clock;
  }

  /** Beats of all together are no more than so many a second, however many there are. */
  private get everyMs(): number {
    return Math.max(BEAT_MS, BEAT_MS_EACH * (1 + this.members.others.size));
  }

  /** The watch shows something new. */
  private seen(): void {
    const now = this.clock.now();
    const records = this.view.records();
    this.members.take(records, { now, isAfterOutage: this.view.isAfterOutage });
    this.borrowed.forget(this.members.others);
    const own = records.get(this.self);
    if (own && this.presence.heard(own.beat, now)) this.members.heardOwn(now, this.everyMs);
    for (const [id, { record }] of this.members.others) {
      const heed = record.heeds.find(([lender]) => lender === this.self);
      if (heed) this.lent.returned(id, heed[1]);
    }
    this.rule.changed();
    this.bell.ring();
  }

  /**
   * Whether others may take this process for dead when it was silent: not if there are none, nor if it has said
   * that it uses nothing, and its lease stands.
   */
  private get isWatched(): boolean {
    if (this.members.others.size === 0) return false;
    return !this.isQuiet || !this.lease?.isValid();
  }

  /** It did not run for a while, and others may have taken it for dead. */
  private heldUp(): void {
    this.toldAt = -Infinity;
    this.rule.changed();
    this.bell.ring();
  }

  private *lenders(now: number): Iterable<[id: string, record: ShareRecord]> {
    for (const [id, member] of this.members.others) {
      if (!this.members.isSilent(member, now)) yield [id, member.record];
    }
  }

  private async run(): Promise<void> {
    const { signal } = this.leaving;
    while (!signal.aborted) {
      try {
        await this.step(await this.nextLease());
      } catch (error) {
        if (signal.aborted || error instanceof ClientClosedError) break;
        await this.failed(error);
      }
    }
    await this.sayFarewell();
    this.lease?.signal.removeEventListener('abort', this.bell.ring);
    this.view.close();
    this.moves.close();
  }

  private async step(lease: SessionLease): Promise<void> {
    const now = this.clock.now();
    this.demand.look(now, this.everyMs);
    if (this.isDue(now, lease)) await this.put(this.present(now), lease, now);
    else await this.bell.next(Math.max(this.toldAt, this.demand.lookedAt) + this.everyMs);
  }

  private isDue(now: number, lease: SessionLease): boolean {
    const { stands, told, view } = this;
    if (stands?.lease !== lease.id || !told) return true;
    if (view.isSynced && !this.members.isStanding && view.revision >= stands.revision) return true;
    if (this.borrowed.returns(this.self, this.members.others).length > 0) return true;
    if (now - this.toldAt < this.everyMs) return false;
    const hasSaid = told.everyMs > 0 || told.want > 0 || told.grants.length > 0;
    return hasSaid || this.demand.isThere || this.requests(now).length > 0;
  }

  /** What it has to say now. */
  private present(now: number): ShareRecord {
    const { demand } = this;
    const members = this.members.count(now, this.view.isAfterOutage);
    const share = 1 / members;
    const { everyMs } = this;
    const lends = this.rule.lends();
    const want = lends ? this.borrowed.want(demand.rate, share, demand.wasRefused, members) : 0;
    const requests = lends && want === 0 ? this.requests(now) : [];
    const lenders = Math.max(1, members - requests.length);
    const means = { share, demand: demand.rate, lenders };
    return {
      beat: (this.beat += 1),
      everyMs: demand.isThere ? everyMs : 0,
      want,
      forMs: Math.max(LENT_MS, LENT_BEATS * everyMs),
      grants: requests.length > 0 ? grantsFor(requests, means, this.lent, now) : [],
      heeds: this.borrowed.returns(this.self, this.members.others),
      left: false,
    };
  }

  /** Those who want more, and have said so lately. */
  private requests(now: number): Request[] {
    if (!this.rule.lends()) return [];
    return [...this.members.others].flatMap(([from, { record, heardAt }]) => {
      const { want, beat, forMs, left } = record;
      return want > 0 && !left && now - heardAt < forMs / 2 ? [{ from, beat, want }] : [];
    });
  }

  private async put(record: ShareRecord, lease: SessionLease, now: number): Promise<void> {
    this.told = record;
    this.isQuiet = false;
    this.toldAt = now;
    this.presence.beats(record.beat, now);
    if (record.want > 0) this.borrowed.asked(record.beat, now, record.forMs);
    // What is lent is not this process's own any more when the others hear of it.
    const settled = this.lent.lend(
      record.beat,
      record.grants,
      (to) => this.members.others.get(to)?.record.forMs ?? record.forMs,
    );
    if (record.grants.length > 0) this.rule.changed();
    try {
      const { header } = await this.write(record, lease);
      this.stands = { lease: lease.id, revision: BigInt(header.revision) };
      this.isQuiet = record.everyMs === 0;
      this.trouble.over();
      this.borrowed.returned(record.heeds);
      this.moves.stands(lease.id);
    } finally {
      settled(this.clock.now());
    }
  }

  /** Nobody else writes this key, so doing it twice does no harm. */
  private write(record: ShareRecord, lease: SessionLease) {
    const value = encodeShareRecord(record);
    const put = { request_put: { key: this.key, value, lease: lease.id } };
    const request = { compare: [], success: [put], failure: [] };
    return this.ground.client.txn(request, { repeatable: true });
  }

  private async failed(error: unknown): Promise<void> {
    if (error instanceof LeaseNotFoundError && this.lease) {
      return this.ground.session.reportGone(this.lease);
    }
    if (isFinalFailure(error)) this.presence.refused(error as Error);
    const ms = this.trouble.failed(error);
    await pause(this.clock, ms, this.leaving.signal).catch(() => undefined);
  }

  private async sayFarewell(): Promise<void> {
    const { lease, stands } = this;
    if (!stands || !lease?.isValid()) return;
    const beat = (this.beat += 1);
    const record = { beat, everyMs: 0, want: 0, forMs: 0, grants: [], heeds: [], left: true };
    await settledWithin(this.clock, this.write(record, lease), FAREWELL_MS);
  }

  private async nextLease(): Promise<SessionLease> {
    const lease = await this.ground.session.ready(this.leaving.signal);
    if (lease !== this.lease) {
      this.lease?.signal.removeEventListener('abort', this.bell.ring);
      this.lease = lease;
      lease.signal.addEventListener('abort', this.bell.ring, { once: true });
    }
    return lease;
  }
}
