import type { ShareRecord } from './share-record.js';

/** Losses within so long of each other are one. */
const TOGETHER_MS = 2000;
/** So long those are counted on who were lost together: the time to take a lease anew and put a record. */
export const HOLD_MS = 10_000;
/** A process that has missed so many beats is taken for dead. */
export const MISSED_BEATS = 3;

/** What is known of another process that takes part. */
export interface ShareMember {
  readonly record: ShareRecord;
  /** When it was heard of last. */
  readonly heardAt: number;
}

/** How what a watch shows came about. */
export interface ShareSight {
  readonly now: number;
  /** Nobody could keep a lease until shortly before. */
  readonly isAfterOutage: boolean;
}

/**
 * Who takes part in a fleet's limit, as one of them sees it: whose share is not free for others.
 *
 * Whoever comes counts at once. Whoever says farewell, or is gone alone, does not any more. Those who
 * vanish together, or with this process's own record, or right after an outage, have most likely lost
 * their leases and not their lives: they count on until they are back, or have had the time for it. Not so
 * those who had been silent until their leases ran out, while this process heard itself all along.
 */
export class ShareMembers {
  readonly others = new Map<string, ShareMember>();
  /** Gone, with the moment until which they count on. */
  private readonly held = new Map<string, number>();
  /** Gone within the last seconds, with the moment. */
  private readonly lost = new Map<string, number>();
  private isSeen = false;
  /** From when on this process has heard its own beats without a gap. */
  private hearsSince = Infinity;
  private ownHeardAt = -Infinity;

  constructor(readonly self: string) {}

  /** Whether this process's own record stands. */
  get isStanding(): boolean {
    return this.isSeen;
  }

  /** Takes over what the watch shows. */
  take(records: ReadonlyMap<string, ShareRecord>, sight: ShareSight): void {
    const { now } = sight;
    const gone: string[] = [];
    for (const [id, member] of this.others) {
      if (records.has(id)) continue;
      this.others.delete(id);
      if (!member.record.left && !this.hasDied(member, sight)) gone.push(id);
    }
    const isOwnLost = this.isSeen && !records.has(this.self);
    this.isSeen = records.has(this.self);
    for (const [id, record] of records) if (id !== this.self) this.hear(id, record, now);
    this.judge(gone, isOwnLost, sight);
  }

  /** This process has heard its own beat: etcd and the watch work. */
  heardOwn(now: number, everyMs: number): void {
    if (now - this.ownHeardAt > MISSED_BEATS * everyMs) this.hearsSince = now;
    this.ownHeardAt = now;
  }

  /** How many have a share, this process included. */
  count(now: number, isAfterOutage: boolean): number {
    for (const [id, until] of this.held) if (now >= until) this.held.delete(id);
    let there = 1 + this.held.size;
    for (const { record } of this.others.values()) if (!record.left) there += 1;
    const silent = isAfterOutage ? 0 : this.silentOnes(now);
    return isMost(silent, there) ? there : there - silent;
  }

  /** Whether another one's share counts, as {@link count} has it: what it was lent is not free either then. */
  counts(id: string, now: number, isAfterOutage: boolean): boolean {
    if (now < (this.held.get(id) ?? -Infinity)) return true;
    const member = this.others.get(id);
    if (!member || member.record.left) return false;
    if (!this.isSilent(member, now)) return true;
    const there = this.count(now, true);
    return isAfterOutage || isMost(this.silentOnes(now), there);
  }

  /** Whether it says nothing any more, though it would if it were alive. */
  isSilent({ record, heardAt }: ShareMember, now: number): boolean {
    const { everyMs, left } = record;
    if (everyMs === 0 || left) return false;
    // Only who hears itself can say that others are silent.
    if (now - this.ownHeardAt > 2 * everyMs) return false;
    return now - Math.max(heardAt, this.hearsSince) > MISSED_BEATS * everyMs;
  }

  /** Whether one whose record is gone said nothing long before, while all was well with what is heard. */
  private hasDied(member: ShareMember, { now, isAfterOutage }: ShareSight): boolean {
    return !isAfterOutage && this.isSilent(member, now);
  }

  private silentOnes(now: number): number {
    let silent = 0;
    for (const member of this.others.values()) if (this.isSilent(member, now)) silent += 1;
    return silent;
  }

  private hear(id: string, record: ShareRecord, now: number): void {
    this.held.delete(id);
    this.lost.delete(id);
    const known = this.others.get(id);
    // A word that etcd has taken long after it was given up says nothing new.
    if (!known || known.record.beat < record.beat) this.others.set(id, { record, heardAt: now });
  }

  private judge(gone: readonly string[], isOwnLost: boolean, sight: ShareSight): void {
    const { now, isAfterOutage } = sight;
    for (const [id, at] of this.lost) if (now - at > TOGETHER_MS) this.lost.delete(id);
    for (const id of gone) this.lost.set(id, now);
    if (gone.length === 0 && !isOwnLost) return;
    const before = this.others.size + this.lost.size + 1;
    const isMass = this.lost.size > 1 && this.lost.size > before / 2;
    if (!isMass && !isOwnLost && !isAfterOutage) return;
    for (const id of this.lost.keys()) this.held.set(id, now + HOLD_MS);
    this.lost.clear();
  }
}

/** So many do not die at once: something is wrong with what is heard. */
function isMost(silent: number, there: number): boolean {
  return silent > 1 && silent > there / 2;
}
