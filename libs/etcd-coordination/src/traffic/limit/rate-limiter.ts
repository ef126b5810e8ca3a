import {
  concat,
  defer,
  distinctUntilChanged,
  filter,
  map,
  of,
  Subject,
  type Observable,
} from 'rxjs';
import { ClientClosedError } from '../../client/etcd.errors.js';
import { WatchStream } from '../../watch/watch-stream.js';
import type { LiveDocuments } from '../live-documents.js';
import type { LimitUse } from './limit-uses.js';
import type { RateLimitDecision } from './rate-limit-decision.js';
import type { RateLimitRule } from './rate-limit-rule.js';
import { InvalidRateLimitCallError, RateLimitedError } from './rate-limit.errors.js';
import { assertKey, RuleLimiter, wrongCost } from './rule-limiter.js';
import type { RateLimiterGround } from './share-ground.js';

/** Whose call it is, and what it costs. */
export interface RateLimitCall {
  /**
   * Whose limit it counts against, in the place of what the rule's own key says of requests. For a rule that has
   * a key; `'call'` is for those that have only this one. Calls without one share a limit.
   */
  readonly key?: string;
  /**
   * So many calls at once; above 0, up to the rule's burst, as it was declared or as it stands. What costs more
   * than the burst as it stands waits until the whole burst is there. Default 1.
   */
  readonly cost?: number;
}

/** A limit, and what this process has of it. */
export interface RateLimitStatus {
  readonly rule: string;
  /** The numbers as they stand; those that were declared while it is not used here. */
  readonly numbers: RateLimitRule;
  /** The part that this process may use, from 0 to 1: its own share, less what is lent, with what is borrowed. 0 until it has joined, and while the limit is not used here. */
  readonly share: number;
  /** How many processes share it; 1 for the limit of an instance, 0 while it is not used here. */
  readonly members: number;
  /** The part that others use of this process's share. */
  readonly lent: number;
  /** The part that this process uses of others' shares. */
  readonly borrowed: number;
  /**
   * Whether it is certain that the others reckon with this process's share: it has seen a word of its own within
   * the last three beats. Not so while the limit is not used here, or etcd is out of reach.
   */
  readonly confirmed: boolean;
}

/**
 * Decides by the rules of `traffic.limits` whether a call may go through. A decision is made here and now, in
 * under a microsecond, with no call to etcd.
 *
 * A fleet's limit is divided evenly among the processes that use it; a process that has more than enough lends
 * some, for seconds at a time, to those that have too little, unless the limit is by key. Without etcd the
 * last numbers and the last share stand; a process that is started without etcd takes itself to be alone.
 */
export class RateLimiter {
  private readonly limiters = new Map<string, RuleLimiter>();
  private readonly changes = new Subject<string>();
  private closing: Promise<void> | null = null;

  constructor(
    private readonly ground: RateLimiterGround,
    private readonly rules: LiveDocuments<RateLimitRule>,
  ) {}

  /**
   * Takes part in a rule. Resolves when its numbers are known and this process has its share of a fleet's:
   * half a second after it has joined, and at the latest after 5 s.
   *
   * @param by who asks, for the error
   * @throws {UnknownTrafficNameError} for a rule that is not declared; lists those that are
   * @throws {ClientClosedError} after {@link close}
   * @throws EtcdPermissionDeniedError, and whatever else etcd refuses for good
   */
  async use(rule: string, by?: string): Promise<void> {
    this.assertKnown(rule, by);
    const limiter = this.limiter(rule, by);
    if (!limiter) throw new ClientClosedError(this.ground.client.options.connection);
    await limiter.ready();
  }

  /**
   * Whether a call may go through; if so, it is counted. A rule that was not {@link use}d is from now on: of a
   * fleet's limit this process has nothing before it has joined.
   *
   * @throws {UnknownTrafficNameError} for a rule that is not declared
   * @throws {InvalidRateLimitCallError} for a cost that cannot be, and for a key where the rule was declared
   *   without one
   */
  check(rule: string, { key, cost = 1 }: RateLimitCall = {}): RateLimitDecision {
    if (key !== undefined && typeof key !== 'string') {
      throw new InvalidRateLimitCallError(rule, 'has a key that is no string');
    }
    const limiter = this.limiters.get(rule) ?? this.limiter(rule);
    return limiter?.check(key, cost) ?? closingDecision(this.rules.declaredOf(rule));
  }

  /**
   * As {@link check}, where a call over the limit fails.
   *
   * @throws {RateLimitedError} (HTTP 429) if it may not go through
   */
  consume(rule: string, call?: RateLimitCall): RateLimitDecision {
    const decision = this.check(rule, call);
    if (!decision.allowed) throw new RateLimitedError(rule, decision);
    return decision;
  }

  /**
   * What this process has of a limit now. Makes no call, and only looks: a rule that nobody here uses shows what
   * was declared, and no share.
   *
   * @throws {UnknownTrafficNameError} for a rule that is not declared
   */
  status(rule: string): RateLimitStatus {
    const limiter = this.limiters.get(rule);
    if (!limiter) return { ...UNUSED, rule, numbers: this.rules.declaredOf(rule) };
    const { rate: share, members, lent, borrowed, isConfirmed: confirmed } = limiter.shareNow;
    return { rule, numbers: limiter.rule, share, members, lent, borrowed, confirmed };
  }

  /** {@link status} now, and whenever it has changed, its numbers included. Only looks. Completes with the connection. */
  status$(rule: string): Observable<RateLimitStatus> {
    const label = `the limit ${JSON.stringify(rule)}`;
    return new WatchStream({ label }, (subscriber) =>
      concat(
        defer(() => of(this.status(rule))),
        this.changes.pipe(
          filter((name) => name === rule),
          map(() => this.status(rule)),
        ),
      )
        .pipe(distinctUntilChanged(isSame))
        .subscribe(subscriber),
    );
  }

  /**
   * The numbers of a rule that is used from now on, as they stand.
   *
   * @throws {UnknownTrafficNameError} for a rule that is not declared
   */
  numbers(rule: string): RateLimitRule {
    return this.limiter(rule)?.rule ?? this.rules.declaredOf(rule);
  }

  /**
   * That a decorator can count by a rule as it was declared.
   *
   * @throws {UnknownTrafficNameError} for a rule that is not declared; lists those that are
   * @throws {InvalidRateLimitCallError} for a key where the rule has none, and for a cost above its burst
   */
  assertUse({ rule, place, key, cost }: Pick<LimitUse, 'rule' | 'place' | 'key' | 'cost'>): void {
    const declared = this.rules.declaredOf(rule, place);
    if (key) assertKey(rule, declared, place);
    if (typeof cost === 'number' && cost > declared.burst) {
      throw wrongCost(rule, cost, declared.burst, place);
    }
  }

  /** @throws {UnknownTrafficNameError} for a rule that is not declared; lists those that are */
  assertKnown(rule: string, by?: string): void {
    this.rules.assertKnown(rule, by);
  }

  /** The rules that this process uses. */
  get used(): readonly string[] {
    return [...this.limiters.keys()];
  }

  /** Gives this process's shares back, and lets nothing through any more that is a fleet's. Never rejects. */
  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  /** Null for one that was not used when the limiter was closed. */
  private limiter(rule: string, by?: string): RuleLimiter | null {
    const standing = this.limiters.get(rule);
    if (standing || this.closing) return standing ?? null;
    const declared = this.rules.declaredOf(rule, by);
    const changed = () => {
      if (this.limiters.has(rule)) this.changes.next(rule);
    };
    const limiter = new RuleLimiter(this.ground, this.rules.of(rule, by), declared, changed);
    this.limiters.set(rule, limiter);
    changed();
    return limiter;
  }

  private async shutDown(): Promise<void> {
    await Promise.all([...this.limiters.values()].map((limiter) => limiter.close()));
    this.changes.complete();
  }
}

/** Of a limit that nobody uses here. */
const UNUSED = { share: 0, members: 0, lent: 0, borrowed: 0, confirmed: false };
/** When to come back, to another process that is there by then. */
const AFTER_CLOSE_MS = 1000;

function closingDecision({ limit }: RateLimitRule): RateLimitDecision {
  return {
    ...{ allowed: false, refusal: 'closing', limit, remaining: 0 },
    ...{ retryAfterMs: AFTER_CLOSE_MS, resetMs: AFTER_CLOSE_MS },
  };
}

function isSame(a: RateLimitStatus, b: RateLimitStatus): boolean {
  return (
    a.numbers === b.numbers &&
    a.share === b.share &&
    a.members === b.members &&
    a.lent === b.lent &&
    a.borrowed === b.borrowed &&
    a.confirmed === b.confirmed
  );
}
