import type { ShareMember } from './share-members.js';
import type { Grant, ShareRecord } from './share-record.js';

/** A process lends no more than this part of its own share: so it never stands without. */
export const LENDABLE = 0.8;
/** Of its own demand it keeps so much, for demand sways. */
const SPARE_ABOVE_DEMAND = 1.3;
/** Less than this part of a share is not worth a word. */
const TRIFLE = 0.05;

/** What this process has lent, for as long as anybody may count on it. */
export class Lent {
  private readonly grants = new Map<string, { beat: number; rate: number; until: number }[]>();

  constructor(
    /** Whether a borrower is there to use it: what was lent to one that is taken for dead is free, as its share is. */
    private readonly isThere: (borrower: string, now: number) => boolean,
  ) {}

  /** How much that is by now, of a share. */
  rate(now: number, share: number): number {
    let sum = 0;
    for (const to of [...this.grants.keys()]) sum += this.to(to, now);
    return Math.min(sum, LENDABLE * share);
  }

  /** How much one of them may count on. */
  to(borrower: string, now: number): number {
    const standing = this.grants.get(borrower)?.filter(({ until }) => now < until) ?? [];
    if (standing.length === 0) this.grants.delete(borrower);
    else this.grants.set(borrower, standing);
    // Not forgotten: one that was silent only, and is heard of again, may count on it still.
    if (standing.length === 0 || !this.isThere(borrower, now)) return 0;
    // It goes by one of them at a time: the newest that it has seen.
    return Math.max(...standing.map(({ rate }) => rate));
  }

  /** Those who may count on something. */
  get borrowers(): string[] {
    return [...this.grants.keys()];
  }

  /**
   * From now on this is lent: to be called before it is said. What it returns is to be called once it was
   * answered or has failed: from then on it counts `forMs` longer, and is over after the borrower's
   * right is, who counts from when it asked.
   *
   * @param beat with which it is said
   */
  lend(
    beat: number,
    grants: readonly Grant[],
    forMs: (to: string) => number,
  ): (now: number) => void {
    const entries = grants.map(({ to, rate }) => {
      const entry = { beat, rate, until: Infinity };
      this.grants.set(to, [...(this.grants.get(to) ?? []), entry]);
      return { entry, ms: forMs(to) };
    });
    return (now) => {
      for (const { entry, ms } of entries) entry.until = now + ms;
    };
  }

  /** That one counts on nothing any more that was said before this beat. */
  returned(borrower: string, beat: number): void {
    const standing = this.grants.get(borrower)?.filter((grant) => grant.beat >= beat);
    if (standing) this.grants.set(borrower, standing);
  }
}

/** Who asks, with which beat, for how much. */
export interface Request {
  readonly from: string;
  readonly beat: number;
  readonly want: number;
}

/** What a process has, and what is asked of it. */
export interface Means {
  /** Its own share, lent parts included. */
  readonly share: number;
  readonly demand: number;
  /** How many could lend. */
  readonly lenders: number;
}

/**
 * How a process answers those who want more: with an equal part from each who could lend, as far as it
 * has it to spare, and has not lent it before to somebody who may count on it still.
 */
export function grantsFor(
  requests: readonly Request[],
  { share, demand, lenders }: Means,
  lent: Lent,
  now: number,
): Grant[] {
  const keeps = Math.max((1 - LENDABLE) * share, demand * SPARE_ABOVE_DEMAND);
  const spare = share - keeps;
  if (spare < TRIFLE * share) return [];
  const all = requests.reduce((sum, { want }) => sum + want / lenders, 0);
  const part = Math.min(1, spare / all) / lenders;
  const wishes = requests.map(({ from, beat, want }) => {
    const before = lent.to(from, now);
    return { to: from, beat, before, rate: want * part, more: Math.max(0, want * part - before) };
  });
  const standing = lent.borrowers.reduce((sum, to) => sum + lent.to(to, now), 0);
  const more = wishes.reduce((sum, wish) => sum + wish.more, 0);
  const free = more === 0 ? 0 : Math.min(1, Math.max(0, spare - standing) / more);
  return wishes.map(({ to, beat, before, rate, more: wished }) => ({
    ...{ to, beat },
    rate: rounded(Math.min(rate, before) + wished * free),
  }));
}

/** What this process has asked for, and what it may count on of that. */
export class Borrowed {
  /** Until when an answer to a beat counts. */
  private readonly until = new Map<number, number>();
  /** More is asked for while what came was not enough: not everybody has some to spare. */
  private insistence = 1;
  /** Those whose grants it has counted on, and not yet given back. */
  private readonly countedOn = new Set<string>();

  /** How much to ask for, beside the own share. */
  want(demand: number, share: number, wasRefused: boolean, members: number): number {
    const missing = demand * 1.05 - share;
    const isShort = missing > TRIFLE * share && members > 1;
    if (!isShort) {
      this.insistence = 1;
      return 0;
    }
    this.insistence = wasRefused
      ? Math.min(members, this.insistence * 1.5)
      : Math.max(1, this.insistence * 0.95);
    return rounded(Math.min(1, missing * this.insistence));
  }

  /** That was asked for with this beat, which is about to be sent. */
  asked(beat: number, now: number, forMs: number): void {
    for (const [old, until] of this.until) if (now >= until) this.until.delete(old);
    this.until.set(beat, now + forMs);
  }

  /** What others lend this process, and until when, if they say nothing new. */
  rate(
    now: number,
    self: string,
    lenders: Iterable<readonly [id: string, record: ShareRecord]>,
    share: number,
  ): { rate: number; until: number } {
    let rate = 0;
    let first = Infinity;
    for (const [id, { grants }] of lenders) {
      if (grants.length === 0) continue;
      const all = grants.reduce((sum, grant) => sum + grant.rate, 0);
      // Shares have shrunk since: it cannot lend more than it has.
      const part = Math.min(1, (LENDABLE * share) / all);
      for (const { to, beat, rate: lent } of grants) {
        const until = to === self ? (this.until.get(beat) ?? 0) : 0;
        if (now >= until) continue;
        this.countedOn.add(id);
        rate += lent * part;
        first = Math.min(first, until);
      }
    }
    return { rate, until: first };
  }

  /** Whose word it is that they lend nothing any more: they are to be told that it was heard. */
  returns(
    self: string,
    lenders: ReadonlyMap<string, ShareMember>,
  ): [lender: string, beat: number][] {
    return [...this.countedOn].flatMap((id): [string, number][] => {
      const record = lenders.get(id)?.record;
      const lendsStill = record?.grants.some(({ to }) => to === self);
      return record && !lendsStill ? [[id, record.beat]] : [];
    });
  }

  /** Takes note of who is there still: those whose record is gone need not be told anything. */
  forget(standing: { has(id: string): boolean }): void {
    for (const id of this.countedOn) if (!standing.has(id)) this.countedOn.delete(id);
  }

  /** Those were told. */
  returned(lenders: ShareRecord['heeds']): void {
    for (const [id] of lenders) this.countedOn.delete(id);
  }
}

function rounded(rate: number): number {
  return Math.floor(rate * 1e6) / 1e6;
}
