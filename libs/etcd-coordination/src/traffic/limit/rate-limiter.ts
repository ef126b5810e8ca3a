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
import { WatchStream } from '../../watch/watch-stream.js';
import type { LiveDocuments } from '../live-documents.js';
import type { RateLimitDecision } from './rate-limit-decision.js';
import type { RateLimitRule } from './rate-limit-rule.js';
import { InvalidRateLimitCallError, RateLimitedError } from './rate-limit.errors.js';
import { RuleLimiter } from './rule-limiter.js';
import type { RateLimiterGround } from './share-ground.js';

/** Whose call it is, and what it costs. */
export interface RateLimitCall {
  /** Whose limit it counts against, where the rule has a key. Calls without one share a limit. */
  readonly key?: string;
  /** So many calls at once; above 0, up to the rule's burst. Default 1. */
  readonly cost?: number;
}

/** A limit, and what this process has of it. */
export interface RateLimitStatus {
  readonly rule: string;
  /** The numbers as they stand. */
  readonly numbers: RateLimitRule;
  /** The part that this process may use, from 0 to 1: its own share, less what is lent, with what is borrowed. 0 until it has joined. */
  readonly share: number;
  /** How many processes share it; 1 for the limit of an instance. */
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
   * @throws EtcdPermissionDeniedError, and whatever else etcd refuses for good
   */
  async use(rule: string, by?: string): Promise<void> {
    await this.limiter(rule, by).ready();
  }

  /**
   * Whether a call may go through; if so, it is counted. A rule that was not {@link use}d is from now on: of a
   * fleet's limit this process has nothing before it has joined.
   *
   * @throws {UnknownTrafficNameError} for a rule that is not declared
   * @throws {InvalidRateLimitCallError} for a cost that cannot be
   */
  check(rule: string, { key, cost = 1 }: RateLimitCall = {}): RateLimitDecision {
    if (key !== undefined && typeof key !== 'string') {
      throw new InvalidRateLimitCallError(rule, 'has a key that is no string');
    }
    return (this.limiters.get(rule) ?? this.limiter(rule)).check(key, cost);
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
   * What this process has of a limit now. Makes no call.
   *
   * @throws {UnknownTrafficNameError} for a rule that is not declared
   */
  status(rule: string): RateLimitStatus {
    const limiter = this.limiter(rule);
    const { rate: share, members, lent, borrowed, isConfirmed: confirmed } = limiter.shareNow;
    return { rule, numbers: limiter.rule, share, members, lent, borrowed, confirmed };
  }

  /** {@link status} now, and whenever it has changed. Completes with the connection. */
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

  private limiter(rule: string, by?: string): RuleLimiter {
    let limiter = this.limiters.get(rule);
    if (!limiter) {
      limiter = new RuleLimiter(this.ground, this.rules.of(rule, by), () =>
        this.changes.next(rule),
      );
      this.limiters.set(rule, limiter);
    }
    return limiter;
  }

  private async shutDown(): Promise<void> {
    await Promise.all([...this.limiters.values()].map((limiter) => limiter.close()));
    this.changes.complete();
  }
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
