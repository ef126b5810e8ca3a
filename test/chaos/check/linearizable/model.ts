import type { Operation } from './operation.js';

/** What a thing does, one operation after the other, when nobody else is there. */
export interface Model<S extends string | null | bigint> {
  readonly initial: S;
  /** The state after the operation, or undefined if it cannot have answered so in this state. */
  apply(state: S, operation: Operation): { readonly state: S } | undefined;
  /**
   * Ways to the operation over ambiguous ones, each used once: sequences after which it can have answered as it
   * did, where it cannot have in `state`. An ambiguous operation that nothing makes necessary right afterwards may
   * as well have come later or never; so these are all the places in which the search has to try one.
   */
  bridges(state: S, to: Operation, ambiguous: readonly Operation[]): readonly Operation[][];
  /**
   * The one state in which it can have answered so, if there is only one. No state ever comes back: each write writes
   * another value, and sums only rise. So a state may be left when nothing that is still to come needs it.
   */
  needs(operation: Operation): S | undefined;
  /** Whether it takes nothing from the others if it comes now, in a state that none of them needs any more. */
  isHarmless(state: S, operation: Operation): boolean;
}

/** Whether the operations are those of a counter: `add`s, and reads of sums. */
export function isCounter(operations: readonly Operation[]): boolean {
  return operations.some(({ call }) => call.call === 'add');
}
