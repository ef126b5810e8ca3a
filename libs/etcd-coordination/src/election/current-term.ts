import { currentOwner } from '../context/ownership-context.js';
import type { LeaderTerm } from './leader-term.js';

/**
 * The innermost term that the running call chain stands in: inside a method gated by
 * `@Leader`, inside one marked `@OnElected`, and inside all that these call and await.
 * Null outside of any. The term may have ended since; ask its `isValid()` or its `signal`.
 */
export function currentTerm(): LeaderTerm | null {
  // Only terms are put there as owners of that kind.
  return currentOwner('term') as LeaderTerm | null;
}
