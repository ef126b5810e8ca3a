import type { MethodDecoratorFor } from '../nest/method-decorator.js';
import { assertElectionName } from './election-name.js';
import { markTermHook, type TermHookOptions, type TermMethod } from './term-hook.js';

/**
 * The method is called with the `LeaderTerm` that has ended, once for each term; the reason is
 * `term.signal.reason`. The term's signal has aborted before, so this is the place to clean up,
 * not the warning to stop. If it throws, that is logged.
 *
 * @throws {InvalidElectionNameError} while the class is defined, if the name cannot be one
 */
export function OnRevoked(
  election: string,
  options?: TermHookOptions,
): MethodDecoratorFor<TermMethod> {
  assertElectionName(election);
  return (target, method, descriptor) =>
    markTermHook('OnRevoked', 'revoked', target, method, descriptor as never, election, options);
}
