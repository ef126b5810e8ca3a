import { runOwning } from '../context/ownership-context.js';
import type { LeaderTerm } from './leader-term.js';
import { OwnTerm } from './own-term.js';

/**
 * Runs `work` inside the term: it and all it starts find the term by `currentTerm()` and
 * its fence by `currentFence()`. A promise that it returns counts as running work, for
 * which a shutdown waits before it hands over.
 */
export function runInTerm<T>(term: LeaderTerm, work: () => T): T {
  const result = runOwning('term', term, term.fence, work);
  // Only a promise: another thenable, such as a query, may run each time that it is asked.
  if (!(result instanceof Promise) || !(term instanceof OwnTerm)) return result;
  return term.track(result as Promise<unknown>) as T;
}
