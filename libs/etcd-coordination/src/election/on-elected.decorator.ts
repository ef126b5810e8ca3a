import type { MethodDecoratorFor } from '../nest/method-decorator.js';
import { assertElectionName } from './election-name.js';
import { markTermHook, type TermHookOptions, type TermMethod } from './term-hook.js';

/**
 * The method is called with the `LeaderTerm` each time this process wins the election, and runs
 * inside the term's context. It may run for as long as the term does (watch `term.signal`); a
 * shutdown waits for its promise within the drain budget. If it throws, that is logged and the
 * term goes on.
 *
 * The class stands in the election from the start of the application. An object of a
 * request-scoped class is made for each term, and shared with its `@OnRevoked` methods. Where a
 * class has both, its `@OnElected` for the next term waits for its `@OnRevoked` of the last one.
 *
 * @throws {InvalidElectionNameError} while the class is defined, if the name cannot be one
 */
export function OnElected(
  election: string,
  options?: TermHookOptions,
): MethodDecoratorFor<TermMethod> {
  assertElectionName(election);
  return (target, method, descriptor) =>
    markTermHook('OnElected', 'elected', target, method, descriptor as never, election, options);
}
