import { type Observable, Subject } from 'rxjs';
import { WatchStream } from '../../watch/watch-stream.js';
import { type BreakerStatus, CircuitBreaker } from './breaker/circuit-breaker.js';
import { Bulkhead, type BulkheadStatus } from './bulkhead.js';
import { chainOf, type PolicyGround } from './policy-chain.js';
import type { Policy } from './policy.js';
import type { Ending, RequestStep, ResilientRequest } from './resilient-request.js';
import { type BudgetNumbers, RetryBudget } from './retry-budget.js';

/** A policy's numbers, as they stand: a `LiveDocument`. */
export interface PolicyNumbers {
  readonly name: string;
  readonly value: Policy;
  onChange(listener: (value: Policy) => void): () => void;
}

/** How a policy stands in this process. */
export interface PolicyStatus {
  readonly policy: string;
  readonly breaker: BreakerStatus;
  readonly bulkhead: BulkheadStatus;
  /** How many attempts beyond the first there might be now. */
  readonly retriesLeft: number;
}

/** That of a policy without retries, whose hedges go by it as well. */
const DEFAULT_BUDGET: BudgetNumbers = { budget: 0.1, minRetriesPerSecond: 1 };

const EMPTY: BulkheadStatus = { running: 0, waiting: 0, abandoned: 0 };

/**
 * One policy: its state, and the chain that its numbers of now make of it. A change of numbers goes for
 * the next call, and leaves the state as it is.
 */
export class LivePolicy {
  private readonly budget: RetryBudget;
  private breaker: CircuitBreaker | null = null;
  private bulkhead: Bulkhead | null = null;
  private chain: RequestStep;
  private readonly changes = new Subject<void>();
  private closed = false;
  private readonly unfollow: () => void;

  /** How its breaker stands at the subscription, and each time that changes. */
  readonly breaker$: Observable<BreakerStatus>;

  constructor(
    private readonly numbers: PolicyNumbers,
    private readonly ground: PolicyGround,
  ) {
    this.breaker$ = new WatchStream<BreakerStatus>(
      { label: `the breaker of the policy ${JSON.stringify(numbers.name)}` },
      (subscriber) => {
        const next = () => subscriber.next(this.breakerStatus);
        const complete = () => subscriber.complete();
        if (this.closed) {
          next();
          return complete();
        }
        // Before it is told the present one, by which it may turn the breaker itself.
        const changes = this.changes.subscribe({ next, complete });
        next();
        return changes;
      },
    );
    this.budget = new RetryBudget(ground.clock, numbers.value.retry ?? DEFAULT_BUDGET);
    this.chain = this.turn(numbers.value);
    this.unfollow = numbers.onChange((value) => {
      this.budget.turn(value.retry ?? DEFAULT_BUDGET);
      this.chain = this.turn(value);
    });
  }

  execute(request: ResilientRequest, ending: Ending): void {
    this.chain(request, ending);
  }

  /** How its breaker stands; closed, if it has none. */
  get breakerStatus(): BreakerStatus {
    return (
      this.breaker?.status ?? {
        policy: this.numbers.name,
        state: 'closed',
        retryAfterMs: null,
        lastFailure: undefined,
      }
    );
  }

  get status(): PolicyStatus {
    return {
      policy: this.numbers.name,
      breaker: this.breakerStatus,
      bulkhead: this.bulkhead?.status ?? EMPTY,
      retriesLeft: this.budget.available,
    };
  }

  /** Refuses all calls until the breaker is released. Says whether there is a breaker. */
  isolate(): boolean {
    this.breaker?.isolate();
    return this.breaker !== null;
  }

  release(): boolean {
    this.breaker?.release();
    return this.breaker !== null;
  }

  close(): void {
    this.closed = true;
    this.unfollow();
    this.changes.complete();
  }

  private turn(policy: Policy): RequestStep {
    const { name } = this.numbers;
    const { clock } = this.ground;
    const before = this.breakerStatus.state;
    if (!policy.breaker) this.breaker = null;
    else if (this.breaker) this.breaker.turn(policy.breaker);
    else this.breaker = new CircuitBreaker(name, clock, policy.breaker, () => this.tell());
    // Who runs in one that is taken away leaves it as always; who waits there goes on waiting.
    if (!policy.bulkhead) this.bulkhead = null;
    else if (this.bulkhead) this.bulkhead.turn(policy.bulkhead);
    else this.bulkhead = new Bulkhead(name, policy.bulkhead);
    if (this.breakerStatus.state !== before) this.tell();
    const { budget, breaker, bulkhead } = this;
    return chainOf(name, policy, { budget, breaker, bulkhead }, this.ground);
  }

  private tell(): void {
    this.changes.next();
  }
}
