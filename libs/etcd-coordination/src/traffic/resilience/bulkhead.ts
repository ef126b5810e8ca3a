import type { CallScope } from './call-scope.js';
import type { BulkheadOptions } from './policy.js';
import { BulkheadFullError } from './resilience.errors.js';

/** How a bulkhead stands. */
export interface BulkheadStatus {
  readonly running: number;
  readonly waiting: number;
  /** Of those running, the ones that nobody waits for any more. */
  readonly abandoned: number;
}

/**
 * So many calls run at a time; those beyond wait, first come first served, and leave when nobody waits for
 * them any more. A place is taken until the call has ended, even if its time was up before: what still runs
 * still burdens the dependency.
 *
 * Not cockatiel's, whose numbers stand once and for all, and in whose queue a call keeps its place after
 * it was given up.
 */
export class Bulkhead {
  private readonly running = new Set<CallScope>();
  /** What lets each of them in, in the order in which they came. */
  private readonly waiting = new Map<CallScope, () => void>();

  constructor(
    private readonly policy: string,
    private numbers: Required<BulkheadOptions>,
  ) {}

  get status(): BulkheadStatus {
    const abandoned = [...this.running].filter((scope) => scope.isOver).length;
    return { running: this.running.size, waiting: this.waiting.size, abandoned };
  }

  /** From here on there are so many places; who waits takes those that are new at once. */
  turn(numbers: Required<BulkheadOptions>): void {
    this.numbers = numbers;
    this.fill();
  }

  /** Takes a place if one is free. */
  tryEnter(scope: CallScope): boolean {
    if (this.running.size >= this.numbers.concurrent) return false;
    this.running.add(scope);
    return true;
  }

  /**
   * Waits for a place.
   *
   * @throws {BulkheadFullError} at once, if too many wait
   * @throws the scope's reason, if that ends before
   */
  async wait(scope: CallScope): Promise<void> {
    if (scope.isOver) throw scope.reason;
    if (this.waiting.size >= this.numbers.queue) {
      const { running, waiting, abandoned } = this.status;
      throw new BulkheadFullError(this.policy, running, waiting, abandoned);
    }
    await new Promise<void>((resolve, reject) => {
      const cut = scope.onEnd((reason) => {
        this.waiting.delete(scope);
        reject(reason);
      });
      this.waiting.set(scope, () => {
        cut();
        resolve();
      });
    });
  }

  leave(scope: CallScope): void {
    this.running.delete(scope);
    if (this.waiting.size > 0) this.fill();
  }

  private fill(): void {
    for (const [scope, enter] of this.waiting) {
      if (!this.tryEnter(scope)) return;
      this.waiting.delete(scope);
      enter();
    }
  }
}
