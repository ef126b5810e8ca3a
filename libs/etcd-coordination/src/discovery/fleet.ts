import { INSTANCE_STATES, type ServiceInstance } from '../registry/service-instance.js';
import { Candidate } from './choose/candidate.js';
import { Candidates } from './choose/candidates.js';
import { asShare, hashPair, hashText } from '../client/hash.js';
import { pick } from './choose/pick.js';
import type { Draw } from './choose/strategies.js';
import { readStrategy } from './choose/read-choose-options.js';
import type { ResolvedDiscoveryOptions } from './discovery-options.js';
import { OutlierEjection } from './outlier-ejection.js';
import { usualAfter } from './instance-stats.js';
import { isDownForProbersOnly } from './down-for-probers.js';
import type { BeginOptions, ChooseOptions, ChooseStrategy } from './service-pool.js';
import type { InstanceChange, InstanceChanges } from './service-view.js';
import { isFedUp } from './silence.js';
import { SlowStart } from './slow-start.js';
import { Zones } from './zones.js';

/** Whose calls they are. */
export interface FleetOwner {
  /** This process's id, by which its subsets are its own. */
  readonly instanceId: string;
  /** The zone that this process runs in. */
  readonly zone: string | null;
  /** From 0 up to, and without, 1. */
  readonly random: () => number;
}

/** Parts a key's place among the zones from its place among instances. */
const ZONE_SALT = 0x5bd1e995;

const NO_OPTIONS: ChooseOptions = {};

/** The sets that a candidate is to be put into, or taken out of. */
type Placements = Map<Candidates, Map<string, Candidate | null>>;

/** The instances of one service as those that calls can go to, with what calls have taught of each. */
export class Fleet {
  private readonly members = new Map<string, Candidate>();
  private readonly all: Candidates;
  /** Where a candidate without a zone stands. */
  private readonly anywhere: readonly Candidates[];
  private readonly zones: Zones;
  private readonly ejection: OutlierEjection<Candidate>;
  private readonly slowStart: SlowStart<Candidate>;
  private readonly processHash: number;
  /** Those that are up and registered, ejected ones among them. */
  private up = 0;
  /** Those that are gone from etcd, and kept in the list. */
  private kept = 0;
  /** How long an answer of any of them takes; null if none has come yet. */
  private usualMs: number | null = null;
  /** The moment of what goes on now. */
  private now = 0;

  constructor(
    private readonly owner: FleetOwner,
    { subset, zone, ejection, slowStartMs }: ResolvedDiscoveryOptions,
  ) {
    this.processHash = hashText(owner.instanceId);
    this.all = new Candidates(subset?.size ?? null);
    this.anywhere = [this.all];
    this.zones = new Zones(zone.minHealthy, subset?.size ?? null);
    this.ejection = new OutlierEjection<Candidate>(
      ejection,
      {
        size: () => this.up,
        has: ({ instance }) => isThere(instance),
        isDoubtful: ({ instance }) => instance.isProtected,
      },
      (candidate, isBack) => {
        this.replace(candidate);
        if (isBack) this.slowStart.begin(candidate, this.now);
      },
    );
    this.slowStart = new SlowStart<Candidate>(slowStartMs, () => {
      this.all.stepped();
      this.zones.stepped();
    });
  }

  apply({ changes, isList }: InstanceChanges, now: number): void {
    this.now = now;
    const placements: Placements = new Map();
    for (const change of changes) this.applyOne(change, isList, placements);
    settle(placements);
    this.zones.tidy();
  }

  /** One that a call can go to now; null if there is none. */
  choose(options: BeginOptions = NO_OPTIONS, now: number): Candidate | null {
    this.now = now;
    this.ejection.advance(now);
    this.slowStart.advance(now);
    const strategy = readStrategy(options);
    const { random } = this.owner;
    const { hashKey, exclude } = options;
    const unwanted = unwantedOf(options);
    const keyHash = hashKey === undefined ? 0 : hashText(hashKey);
    const draw = { random, now, keyHash };
    // The same key is to stay in, or leave, the zone every time.
    const share = hashKey === undefined ? random : () => asShare(hashPair(keyHash, ZONE_SALT));
    // From whatever zone, the same key is to find the same instance.
    const zone = options.zone ?? (strategy === 'rendezvous' ? null : this.owner.zone);
    const own = this.zones.choose(zone, this.all.everyone.length, share);
    const chosen =
      (options.tried?.size ? this.pickSure(own, strategy, draw, unwanted) : null) ??
      (own && pick(own, strategy, draw, unwanted)) ??
      pick(this.all, strategy, draw, unwanted);
    if (chosen) return chosen;
    // Whoever has failed this call once may be well: it is to be asked again before those that are hardly.
    if (unwanted !== exclude && this.all.hasBut(exclude)) return null;
    return this.lastResort(strategy, draw, unwanted);
  }

  /** A call of a candidate begins, if it is one still. */
  began(candidate: Candidate, now: number): void {
    this.now = now;
    candidate.stats.inFlight += 1;
    this.ejection.began(candidate, now);
  }

  /** @param why a caller has abandoned it: he may be fed up with the silence of the instance, which is its failure then */
  ended(
    candidate: Candidate,
    how: 'succeeded' | 'failed' | 'abandoned',
    since: number,
    now: number,
    why?: unknown,
  ) {
    this.now = now;
    const { stats } = candidate;
    stats.inFlight -= 1;
    // What had begun before an ejection says nothing of how it is since.
    if (this.ejection.isOlder(candidate, since)) return;
    const tookMs = now - since;
    if (how === 'abandoned' && isFedUp(why, tookMs, stats.usualMs ?? this.usualMs)) how = 'failed';
    if (how === 'succeeded') this.usualMs = usualAfter(this.usualMs, tookMs);
    if (how !== 'abandoned') stats[how](tookMs, now);
    // It may have gone, and another one have come under its id.
    if (this.members.get(candidate.id) !== candidate) return;
    if (how === 'failed') this.ejection.failed(candidate, now);
    else this.ejection[how](candidate);
  }

  /** How many can take a call, and how many are held back for their failures. */
  count(now: number): { readonly usable: number; readonly ejected: number } {
    this.now = now;
    this.ejection.advance(now);
    let usable = 0;
    for (const candidate of this.members.values()) {
      if (candidate.instance.state === 'up' && this.ejection.isIn(candidate)) usable += 1;
    }
    return { usable, ejected: this.ejection.ejected };
  }

  /** What there is, in words that follow "can take a call:". */
  describe({ exclude }: ChooseOptions = NO_OPTIONS): string {
    if (this.members.size === 0) return 'it has no instance that is registered';
    const candidates = [...this.members.values()];
    const states = INSTANCE_STATES.map((state) => {
      const count = candidates.filter(({ instance }) => instance.state === state).length;
      return count > 0 ? [`${count} ${state}`] : [];
    }).flat();
    const kept = candidates.filter(({ instance }) => instance.isProtected).length;
    const excluded = candidates.filter(({ id }) => exclude?.has(id)).length;
    const further = [
      ...(excluded > 0 ? [`${excluded} excluded by the caller`] : []),
      ...(this.ejection.ejected > 0 ? [`${this.ejection.ejected} ejected for failures`] : []),
      ...(kept > 0 ? [`${kept} gone from etcd and protected`] : []),
    ];
    const others = further.length > 0 ? `, of which ${further.join(', ')}` : '';
    return `of its instances there are ${states.join(', ')}${others}`;
  }

  /** Why one of those is not up that somebody gives a reason for; null if nobody gives any. */
  whyNotUp(): string | null {
    for (const { id, instance } of this.members.values()) {
      const word = instance.words.find(({ state, reason }) => reason && state === instance.state);
      if (instance.state === 'up' || !word) continue;
      return `${JSON.stringify(id)} is ${instance.state}: ${word.reason}`;
    }
    return null;
  }

  private applyOne(
    { id, before, after }: InstanceChange,
    isList: boolean,
    placements: Placements,
  ): void {
    this.zones.count(before, after);
    this.up += Number(isThere(after)) - Number(isThere(before));
    this.kept += Number(after?.isProtected ?? false) - Number(before?.isProtected ?? false);
    const known = this.members.get(id);
    const isAnother = before && after && isRegisteredAnew(before, after) && !isList;
    if (known && (!after || isAnother)) this.remove(known, placements);
    if (!after) return;
    let candidate = this.members.get(id);
    // One that was believed to be lost, and is kept after all, has been here before.
    const isNew = !candidate && !after.isProtected;
    if (candidate) candidate.instance = after;
    else this.members.set(id, (candidate = new Candidate(after, this.processHash)));
    this.place(candidate, placements);
    if (after.state !== 'up') return this.slowStart.forget(candidate);
    const wasCold = isNew || before?.state === 'down' || before?.state === 'starting';
    if (wasCold && !isList) this.slowStart.begin(candidate, this.now);
  }

  private remove(candidate: Candidate, placements: Placements): void {
    this.members.delete(candidate.id);
    this.ejection.forget(candidate);
    this.slowStart.forget(candidate);
    this.move(candidate, [], placements);
  }

  private replace(candidate: Candidate): void {
    const placements: Placements = new Map();
    this.place(candidate, placements);
    settle(placements);
  }

  private place(candidate: Candidate, placements: Placements): void {
    const { state, zone } = candidate.instance;
    if (state !== 'up' || !this.ejection.isIn(candidate)) this.move(candidate, [], placements);
    else if (zone === null) this.move(candidate, this.anywhere, placements);
    else this.move(candidate, [this.all, this.zones.of(zone)], placements);
  }

  private move(candidate: Candidate, to: readonly Candidates[], placements: Placements): void {
    for (const set of candidate.places) {
      if (!to.includes(set)) put(placements, set, candidate.id, null);
    }
    for (const set of to) put(placements, set, candidate.id, candidate);
    candidate.places = to;
  }

  /**
   * While some are protected, a call that has failed once goes to one that is surely there, if there is any: of
   * those that are protected most may be dead, and it would fail as often as it is tried.
   */
  private pickSure(
    own: Candidates | null,
    strategy: ChooseStrategy,
    draw: Draw,
    unwanted: ReadonlySet<string> | undefined,
  ): Candidate | null {
    if (this.kept === 0) return null;
    const isSure = ({ instance }: Candidate) => !instance.isProtected;
    for (const { everyone } of own ? [own, this.all] : [this.all]) {
      const sure = Candidates.of(everyone.filter(isSure));
      const chosen = pick(sure, withoutTurns(strategy), draw, unwanted);
      if (chosen) return chosen;
    }
    return null;
  }

  /** For when there is nobody else: those that are up and fail, and those that only a prober finds down. */
  private lastResort(
    strategy: ChooseStrategy,
    draw: Draw,
    unwanted: ReadonlySet<string> | undefined,
  ): Candidate | null {
    const candidates = [...this.members.values()];
    const how = withoutTurns(strategy);
    const pickOf = (isOne: (candidate: Candidate) => boolean) =>
      pick(Candidates.of(candidates.filter(isOne)), how, draw, unwanted);
    return (
      pickOf((one) => one.instance.state === 'up' && !this.ejection.isIn(one)) ??
      // A prober that finds everybody down is more likely wrong than right.
      pickOf(({ instance }) => isDownForProbersOnly(instance))
    );
  }
}

/** Whether it is up, and surely registered. */
function isThere(instance: ServiceInstance | null): boolean {
  return instance !== null && instance.state === 'up' && !instance.isProtected;
}

/** Sets that are made for one choice know nothing of turns. */
function withoutTurns(strategy: ChooseStrategy): ChooseStrategy {
  return strategy === 'round-robin' ? 'random' : strategy;
}

/** The same set as is excluded, if nobody was tried. */
function unwantedOf({ exclude, tried }: BeginOptions): ReadonlySet<string> | undefined {
  if (!tried?.size) return exclude;
  return exclude?.size ? new Set([...exclude, ...tried]) : tried;
}

/** Another process, or the same after its lease was lost without anybody holding its place. */
function isRegisteredAnew(before: ServiceInstance, after: ServiceInstance): boolean {
  return before.createRevision !== after.createRevision && !before.isProtected;
}

function put(
  placements: Placements,
  set: Candidates,
  id: string,
  candidate: Candidate | null,
): void {
  let changes = placements.get(set);
  if (!changes) placements.set(set, (changes = new Map()));
  changes.set(id, candidate);
}

function settle(placements: Placements): void {
  for (const [set, changes] of placements) {
    set.update(changes);
  }
}
