import { indexAtOrAfter, SortedById } from '../sorted-by-id.js';
import type { Candidate } from './candidate.js';
import { Shares } from './shares.js';
import { nearest } from './subset.js';

/** What the candidates of a set have in common. */
interface Profile {
  /** Whether none of them gets less than another for being fresh. */
  readonly isWarm: boolean;
  readonly greatestRamp: number;
  readonly meanWeight: number;
  readonly isEvenlyWeighted: boolean;
}

/**
 * Those who can be chosen, in the order of their ids, with all that choosing needs of them as a
 * whole worked out once until something changes.
 */
export class Candidates {
  /** Whose turn it was last. */
  turn = '';
  private readonly members = new SortedById<Candidate>();
  /** What is worked out already; the ramps are of `step`. */
  private list: readonly Candidate[] | null = null;
  private profiled: Profile | null = null;
  private byRamp: Shares | null = null;
  private byWeight: Shares | null = null;
  /** Where {@link turn} stands in {@link list}, if that is known. */
  private turnIndex = -1;

  /** @param size how many of them this process talks with; all if it is null */
  constructor(private readonly size: number | null = null) {}

  /** A set of those that are given, whatever their order. */
  static of(list: readonly Candidate[]): Candidates {
    const set = new Candidates();
    set.update(new Map(list.map((candidate) => [candidate.id, candidate])));
    return set;
  }

  update(changes: ReadonlyMap<string, Candidate | null>): void {
    if (changes.size === 0) return;
    this.members.update(changes);
    this.list = null;
    this.turnIndex = -1;
    this.stepped();
  }

  /** Weights or ramps have changed. */
  stepped(): void {
    this.profiled = this.byRamp = this.byWeight = null;
  }

  /** All who can take a call, whether or not this process talks with them. */
  get everyone(): readonly Candidate[] {
    return this.members.items;
  }

  /** Whether there is anybody but these. */
  hasBut(ids: ReadonlySet<string> | undefined): boolean {
    const { items } = this.members;
    return ids?.size ? items.some(({ id }) => !ids.has(id)) : items.length > 0;
  }

  /** Those that are chosen among. */
  get chosen(): readonly Candidate[] {
    return (this.list ??=
      this.size === null ? this.members.items : nearest(this.members.items, this.size));
  }

  get profile(): Profile {
    return (this.profiled ??= profileOf(this.chosen));
  }

  /** By how fresh they are alone. */
  get rampShares(): Shares {
    return (this.byRamp ??= new Shares(this.chosen, ({ ramp }) => ramp));
  }

  /** By their weights, and how fresh they are. */
  get weightShares(): Shares {
    return (this.byWeight ??= new Shares(this.chosen, ({ weight, ramp }) => weight * ramp));
  }

  /** Moves the turn on to the next, by the order of the ids, and gives it. Not for an empty set. */
  nextTurn(): Candidate {
    const list = this.chosen;
    if (this.turnIndex < 0) this.turnIndex = lastAtOrBefore(list, this.turn);
    this.turnIndex = this.turnIndex + 1 < list.length ? this.turnIndex + 1 : 0;
    const next = list[this.turnIndex]!;
    this.turn = next.id;
    return next;
  }
}

/** -1 if none is. */
function lastAtOrBefore(list: readonly Candidate[], id: string): number {
  const index = indexAtOrAfter(list, id);
  return list[index]?.id === id ? index : index - 1;
}

function profileOf(list: readonly Candidate[]): Profile {
  const first = list[0];
  if (!first) return { isWarm: true, greatestRamp: 1, meanWeight: 1, isEvenlyWeighted: true };
  let [least, greatest, sum] = [1, 0, 0];
  let isEvenlyWeighted = true;
  for (const { ramp, weight } of list) {
    if (ramp < least) least = ramp;
    if (ramp > greatest) greatest = ramp;
    sum += weight;
    isEvenlyWeighted &&= weight === first.weight;
  }
  const isWarm = least === greatest;
  return { isWarm, greatestRamp: greatest, meanWeight: sum / list.length, isEvenlyWeighted };
}
