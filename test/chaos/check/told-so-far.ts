import type { Compaction, TrueEvent } from './evidence.js';
import { at } from './in-time.js';
import { larger } from './revisions.js';
import { ENOUGH, readTold, type Subscription, type Told } from './subscriptions.js';
import { applyTo, differenceOf, type TrueWalk } from './true-states.js';

/** What a watch that was asked for a history may say instead of telling it. */
const HISTORY_IS_GONE = 'REVISION_COMPACTED';

/**
 * Goes along the notes of a subscription and what really happened at the same time.
 *
 * | state    | begins with                      | what is told must be                                          |
 * | -------- | -------------------------------- | ------------------------------------------------------------- |
 * | early    | the subscription                 | true, and in order; what is missing says nothing              |
 * | standing | `stood`, or the history asked for | true, in order and whole: all of a revision, and all revisions |
 * | afloat   | a resync, while standing         | as standing, once the next event lands it (see `afloat`)       |
 *
 * The next event that is no resync leads from afloat back to standing; early and afloat never meet.
 */
export class ToldSoFar {
  private readonly faults: string[] = [];
  private standing = false;
  /** Everything up to here was told, or was before the watch began to stand. */
  private covered = 0n;
  /** The newest that it was told, and by which note. */
  private newest = 0n;
  private newestIn = -1;
  /** What was told last was of a resync: who takes events in batches is told the rest of it later. */
  private resyncing = false;
  /**
   * What a resync came to, until the next event shows as of which revision that was: the resync does not say, and
   * what was put and deleted again before it is in no difference.
   */
  private afloat: Map<string, bigint> | null = null;

  constructor(
    private readonly subscription: Subscription,
    private readonly walk: TrueWalk,
    private readonly compactions: readonly Compaction[],
  ) {
    if (subscription.from !== null) this.stood(subscription.from - 1n);
  }

  judge(): string[] {
    let last = 0;
    for (const [index, note] of this.subscription.notes.entries()) {
      if (this.faults.length >= ENOUGH) return this.faults;
      last = note.t;
      if (note.type === 'stood') this.stood(BigInt(note.revision));
      if (note.type === 'told') this.told(note.events.map(readTold), index, note.t);
      if (note.type === 'ended') this.ended(note.code, note.t);
    }
    this.landSomewhere(last);
    return this.faults;
  }

  /** From here on nothing may be missing. */
  private stood(revision: bigint): void {
    if (this.standing) return;
    this.standing = true;
    this.covered = larger(revision, this.newest);
    this.walk.passUpTo(this.covered);
  }

  private told(events: readonly Told[], index: number, t: number): void {
    for (let first = 0; first < events.length;) {
      const { resync, revision } = events[first]!;
      const others = events.findIndex(
        (one, position) =>
          position > first && (one.resync !== resync || (!resync && one.revision !== revision)),
      );
      const end = others < 0 ? events.length : others;
      const batch = events.slice(first, end);
      if (resync) this.takeResync(batch, index, t);
      else this.takeRevision(batch, revision, index, t);
      first = end;
    }
  }

  private takeRevision(events: readonly Told[], revision: bigint, index: number, t: number): void {
    if (revision <= this.newest) return this.tellOfRepetition(events, revision, index, t);
    this.newest = revision;
    this.newestIn = index;
    this.resyncing = false;
    // Told before it stood, or in the same turn: that need not be all, but it must be so.
    if (!this.standing || revision <= this.covered) {
      for (const event of events) this.mustBeSo(event, t);
      return;
    }
    this.covered = revision;
    if (this.afloat) this.land(revision, t);
    else this.tellOfMissing(this.walk.passUpTo(revision - 1n), revision, t);
    const real = this.walk.passUpTo(revision);
    const keys = new Set(events.map(({ key }) => key));
    if (keys.size < events.length) this.fault(`was told twice in one: ${listed(events)}`, t);
    for (const event of events) this.mustBeSo(event, t);
    const absent = real.filter(({ key }) => !keys.has(key));
    if (absent.length > 0) {
      this.fault(`was told ${listed(events)} without ${listed(absent)}, of the same revision`, t);
    }
  }

  private tellOfRepetition(
    events: readonly Told[],
    revision: bigint,
    index: number,
    t: number,
  ): void {
    const how =
      revision < this.newest
        ? `after revision ${this.newest}`
        : index === this.newestIn
          ? 'twice'
          : 'when it had been told of that revision already';
    this.fault(`was told ${listed(events)} ${how}`, t);
  }

  private tellOfMissing(missing: readonly TrueEvent[], revision: bigint, t: number): void {
    if (missing.length === 0) return;
    this.fault(`was told revision ${revision} without ${listed(missing)}`, t);
  }

  private mustBeSo(event: Told, t: number): void {
    const real = this.walk.at(event.revision, event.key);
    if (!real) return this.fault(`was told ${named(event)}, which never happened`, t);
    if (real.type === event.type && real.value === event.value) return;
    const [said, is] = [JSON.stringify(event.value), JSON.stringify(real.value)];
    this.fault(`was told ${named(event)} with ${said}, which was a ${real.type} with ${is}`, t);
  }

  private takeResync(events: readonly Told[], index: number, t: number): void {
    const reach = events.reduce((most, { revision }) => larger(most, revision), 0n);
    // Where it goes on from is the newest that it was told: it may stand at a member that is further already.
    if (!this.resyncing && !this.isCompactedBy(this.newest + 1n, t)) {
      this.fault(
        `was told a resync up to revision ${reach}, and nothing after revision ${this.newest} had been compacted`,
        t,
      );
    }
    const again = this.resyncing ? reach < this.newest : reach <= this.newest;
    this.resyncing = true;
    if (again) this.tellOfRepetition(events, reach, index, t);
    this.newest = larger(this.newest, reach);
    this.newestIn = index;
    if (!this.standing) return;
    this.covered = larger(this.covered, reach);
    this.afloat ??= new Map(this.walk.current);
    for (const event of events) applyTo(this.afloat, event);
    this.walk.passUpTo(reach);
  }

  /** What comes after a resync goes on from what that came to. */
  private land(revision: bigint, t: number): void {
    const passed = this.walk.passUpTo(revision - 1n);
    const wrong = differenceOf(this.afloat!, this.walk.current);
    this.afloat = null;
    if (!wrong) return;
    const between = passed.length > 0 ? `; not told was ${listed(passed)}` : '';
    this.fault(`was told revision ${revision}, and by the resync before it ${wrong}${between}`, t);
  }

  /** Nothing came after the resync: what it came to stood at some time from its newest revision on. */
  private landSomewhere(t: number): void {
    if (!this.afloat) return;
    const wrong = differenceOf(this.afloat, this.walk.current);
    let other: string | null = wrong;
    while (other && this.walk.next) {
      this.walk.step();
      other = differenceOf(this.afloat, this.walk.current);
    }
    if (other) this.fault(`was told a resync up to revision ${this.covered} by which ${wrong}`, t);
  }

  private ended(code: string, t: number): void {
    if (code === '') return;
    const { from } = this.subscription;
    const isGone = code === HISTORY_IS_GONE && from !== null;
    if (isGone && this.isCompactedBy(from, t)) return;
    const untrue = isGone ? `, and revision ${from} had not been compacted` : '';
    this.fault(`ended by itself, with ${code}${untrue}`, t);
  }

  /** Whether a revision may have been compacted at a moment. */
  private isCompactedBy(revision: bigint, t: number): boolean {
    return this.compactions.some((one) => one.revision >= revision && one.askedAt <= t);
  }

  private fault(what: string, t: number): void {
    const { id, prefix } = this.subscription;
    this.faults.push(`Watch ${id} on ${prefix} at ${at(t)} ${what}.`);
  }
}

function named({ type, key, revision }: Pick<Told, 'type' | 'key' | 'revision'>): string {
  return `${type} ${key} at ${revision}`;
}

function listed(events: readonly Pick<Told, 'type' | 'key' | 'revision'>[]): string {
  const more = events.length > 3 ? ` and ${events.length - 3} more` : '';
  return `${events.slice(0, 3).map(named).join(', ')}${more}`;
}
