import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import {
  type AnyMethod,
  assertKnownOptions,
  type DecoratedPlace,
  shownPlace,
  type VoidMethod,
  wrapMethod,
} from '../nest/decorated-method.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { isMessageHandler } from '../nest/message-handler.js';
import type { MethodDecoratorFor } from '../nest/method-decorator.js';
import { returnsPromise } from '../nest/returns-promise.js';
import { assertElectionName } from './election-name.js';
import { LEADER_GATES } from './leader-gate.js';
import { participate } from './participation.js';
import { runInTerm } from './run-in-term.js';

/** How `@Leader` treats a call on an instance that does not lead. */
export interface LeaderOptions {
  /**
   * - `'skip'`: the call does nothing; for methods that return nothing, such as `@Cron` and
   *   `@Interval` ones. The default.
   * - `'throw'`: the call fails with a `NotLeaderError`: HTTP 503 in a controller, an
   *   `RpcException` in a message handler.
   */
  readonly otherwise?: 'skip' | 'throw';
  /** The connection over which the election is held. Default `default`. */
  readonly connection?: string;
}

/**
 * The method runs on the leader of the election, inside its term's context
 * (`currentTerm()`, `currentFence()`), and on no other instance. The class stands in the
 * election from the start of the application.
 *
 * Whether this instance leads is asked anew for every call, of the monotonic clock and without
 * a call to etcd. A call that has begun goes on when the term ends meanwhile: long work should
 * watch `currentTerm().signal`, and guard its writes by `currentFence()`.
 *
 * It stands above or below other decorators, on controllers, message handlers, scheduled
 * methods and providers of every scope. A promise that the method returns is work that a
 * shutdown waits for; an observable is not, and is subscribed to outside of the term.
 *
 * @param election which election; all instances that name it, over the same namespace, compete
 * @throws {InvalidElectionNameError} while the class is defined, if the name cannot be one
 * @throws {InvalidDecoratorUseError} likewise, if an option or the place is wrong
 *
 * @example
 * ```ts
 * @Leader('reconciler')
 * @Interval(1000)
 * async reconcile(): Promise<void> { … }
 *
 * @Post('close-month')
 * @Leader('bookkeeper', { otherwise: 'throw' })
 * closeMonth(): Promise<Report> { … }
 * ```
 */
export function Leader(
  election: string,
  options?: LeaderOptions & { readonly otherwise?: 'skip' },
): MethodDecoratorFor<VoidMethod>;
export function Leader(
  election: string,
  options: LeaderOptions & { readonly otherwise: 'throw' },
): MethodDecorator;
export function Leader(election: string, options: LeaderOptions = {}): MethodDecorator {
  assertElectionName(election);
  return (target, name, descriptor: PropertyDescriptor) => {
    const place = { decorator: 'Leader', target, name };
    assertLeaderOptions(place, options);
    const { otherwise = 'skip', connection = DEFAULT_CONNECTION } = options;
    participate('Leader', target, name, descriptor, election, connection);
    const method = descriptor.value as AnyMethod;
    const promises = returnsPromise(place, method);

    wrapMethod(descriptor, (self, args, wrapper) => {
      const gate = LEADER_GATES.of(self, connection);
      const term = gate?.term(election);
      if (gate && term) return runInTerm(term, () => Reflect.apply(method, self, args));
      if (gate && otherwise === 'skip') return promises ? Promise.resolve() : undefined;
      // Asked at the call: the decorator that makes a message handler may stand above.
      const error = gate
        ? gate.refusal(election, isMessageHandler(wrapper))
        : LEADER_GATES.missing('Leader', shownPlace(place), connection);
      if (promises) return Promise.reject(error);
      throw error;
    });
  };
}

function assertLeaderOptions(place: DecoratedPlace, options: unknown): void {
  assertKnownOptions(place, options, ['otherwise', 'connection']);
  const { otherwise = 'skip' } = options as LeaderOptions;
  if (otherwise !== 'skip' && otherwise !== 'throw') {
    const fault = `its option "otherwise" is neither 'skip' nor 'throw'`;
    throw new InvalidDecoratorUseError(place.decorator, shownPlace(place), fault);
  }
}
