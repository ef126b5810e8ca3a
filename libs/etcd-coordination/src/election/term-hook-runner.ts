import { Logger } from '@nestjs/common';
import type { Observable, Subscription } from 'rxjs';
import type { MonotonicClock } from '../client/clock.js';
import { settledWithin } from '../client/settled-within.js';
import type { LeaderTerm } from './leader-term.js';
import { runInTerm } from './run-in-term.js';
import type { MarkedMethod, TermHookTarget } from './term-hook-target.js';

/** For how long a class's `@OnRevoked` may hold up its `@OnElected` for the next term. */
const REVOKED_BUDGET_MS = 10_000;

type Instances = Awaited<ReturnType<TermHookTarget['instances']>>;

/** Tells one class of the terms of one election, in their order, one revocation for each election. */
export class TermHookRunner {
  private readonly logger = new Logger('TermHooks');
  private current: LeaderTerm | null = null;
  /** What was told of the current term, for the same objects to be told of its end. */
  private told: { readonly term: LeaderTerm; readonly instances: Instances } | null = null;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly target: TermHookTarget,
    private readonly clock: MonotonicClock,
  ) {}

  /** Follows this process's terms until unsubscribed; the end of the stream ends the term that stands. */
  follow(terms: Observable<LeaderTerm | null>): Subscription {
    return terms.subscribe({
      next: (term) => this.change(term),
      error: (error: unknown) => {
        this.logger.error(`${this.target.className} can no longer be told of its terms.`, error);
        this.change(null);
      },
      complete: () => this.change(null),
    });
  }

  /** Resolves when all that has happened so far was told and every `@OnRevoked` has settled. */
  async idle(): Promise<void> {
    await this.turn;
  }

  private change(term: LeaderTerm | null): void {
    if (term === this.current) return;
    this.current = term;
    this.turn = this.turn.then(() => this.tellRevoked());
    if (term) this.turn = this.turn.then(() => this.tellElected(term));
  }

  private async tellElected(term: LeaderTerm): Promise<void> {
    // A term that ended before its turn came is over for this class without having begun.
    if (this.current !== term) return;
    const instances = await this.instancesFor(term);
    if (!term.isValid()) return;
    this.told = { term, instances };
    for (const instance of instances) {
      for (const method of this.target.methodsFor('elected')) {
        // Not awaited: it may run for as long as the term does.
        void this.call(term, method, () => runInTerm(term, () => instance[method.name]?.(term)));
      }
    }
  }

  private async tellRevoked(): Promise<void> {
    if (!this.told) return;
    const { term, instances } = this.told;
    this.told = null;
    const methods = this.target.methodsFor('revoked');
    const calls = instances.flatMap((instance) =>
      methods.map((method) => this.call(term, method, () => instance[method.name]?.(term))),
    );
    if (calls.length === 0) return;
    if (await settledWithin(this.clock, Promise.all(calls), REVOKED_BUDGET_MS)) return;
    this.logger.error(
      `@OnRevoked of ${this.target.className} has not settled ${REVOKED_BUDGET_MS} ms after the term of ${describe(term)}; it is no longer waited for.`,
    );
  }

  private async instancesFor(term: LeaderTerm): Promise<Instances> {
    try {
      return await this.target.instances(term);
    } catch (error) {
      this.logger.error(
        `Nest could not make a ${this.target.className} for the term of ${describe(term)}, so nobody was told of it.`,
        error,
      );
      return [];
    }
  }

  private async call(term: LeaderTerm, method: MarkedMethod, run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.logger.error(
        `${this.target.className}.${String(method.name)}() failed in the term of ${describe(term)}; the term is not touched by that.`,
        error,
      );
    }
  }
}

function describe({ election, epoch }: LeaderTerm): string {
  return `election "${election}" with epoch ${epoch}`;
}
