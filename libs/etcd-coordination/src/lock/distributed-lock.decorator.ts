import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import {
  type AnyMethod,
  assertKnownOptions,
  assertMethod,
  type DecoratedPlace,
  shownPlace,
  type VoidMethod,
  wrapMethod,
} from '../nest/decorated-method.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { compileKey, type KeySource } from '../nest/key-template.js';
import { isMessageHandler } from '../nest/message-handler.js';
import type { MethodDecoratorFor } from '../nest/method-decorator.js';
import { LOCK_GATES } from './lock-gate.js';
import type { LockOptions } from './lock-options.js';
import { callKindOf, type LockableMethod } from './lockable-method.js';
import { LockBusyError, LockShutdownError } from './lock.errors.js';
import { readLockOptions } from './read-lock-options.js';

/** How `@DistributedLock` takes the lock. */
export interface DistributedLockOptions extends Omit<LockOptions, 'signal'> {
  /**
   * What a call does when somebody else has the lock:
   *
   * - `'wait'`: it waits, for `waitMs` at most if that is given, and fails then with a
   *   `LockBusyError`. The default.
   * - `'throw'`: it fails at once, or after `waitMs`, with a `LockBusyError`: HTTP 423 in a
   *   controller, an `RpcException` in a message handler.
   * - `'skip'`: it does nothing, at once or after `waitMs`, nor while the application shuts down; for
   *   methods that return nothing, such as `@Cron` and `@Interval` ones.
   */
  readonly onBusy?: 'wait' | 'throw' | 'skip';
  /** The connection over which the lock is taken. Default `default`. */
  readonly connection?: string;
}

const OPTIONS = [
  'onBusy',
  'waitMs',
  'holdAtLeastMs',
  'keep',
  'queue',
  'reentrant',
  'connection',
] as const satisfies (keyof DistributedLockOptions)[];

const logger = new Logger('DistributedLock');

/**
 * The method runs under a lock: of all calls that name it, in all processes on the same namespace,
 * one at a time, inside the lock's context (`currentLock()`, `currentFence()`).
 *
 * The lock is given back when the promise that the method returns has settled. A method whose type is
 * `Observable` takes it anew for each subscription and calls the method then, and an async generator
 * when its first value is asked for; they hold it until they complete, fail or are left. So do
 * Observables, async iterables and streams that a promise brings. Every other method gives a promise.
 *
 * Calls of a method within the context of its own lock are an error, unless `reentrant`. Work that
 * goes on for long should watch `currentLock().signal`, and guard its writes by `currentFence()`.
 *
 * It stands above or below other decorators, on controllers, message handlers, scheduled methods and
 * providers of every scope.
 *
 * A call fails, and nothing of the method has run, with `LockBusyError` (HTTP 423),
 * `LockShutdownError` (503), `LockReentryError`, and `InvalidKeyArgumentError` if an argument that
 * the template names is undefined, null, an object or an empty string; with `LockLostError` (503) if
 * the lock was lost while it ran.
 *
 * @param key the lock's name; a template such as `'order/{orderId}'` or `'sku/{0.id}'`, in which the
 *   braces name an argument and may go into it; or a function of the array of arguments
 * @throws {InvalidDecoratorUseError} while the class is defined, if the template names an argument
 *   that is not there, or the key, an option's name, the method's type or the place is wrong
 * @throws {InvalidLockOptionError} likewise, if an option has a value that it cannot have
 *
 * @example
 * ```ts
 * @DistributedLock('order/{orderId}')
 * async ship(orderId: string): Promise<void> { … }
 *
 * @Cron('0 3 * * *')
 * @DistributedLock('nightly-report', { onBusy: 'skip', holdAtLeastMs: 60_000 })
 * async report(): Promise<void> { … }
 * ```
 */
export function DistributedLock(
  key: KeySource,
  options: DistributedLockOptions & { readonly onBusy: 'skip' },
): MethodDecoratorFor<VoidMethod>;
export function DistributedLock(
  key: KeySource,
  options?: DistributedLockOptions & { readonly onBusy?: 'wait' | 'throw' },
): MethodDecoratorFor<LockableMethod>;
export function DistributedLock(
  key: KeySource,
  given: DistributedLockOptions = {},
): MethodDecorator {
  return (target, name, descriptor: PropertyDescriptor) => {
    const place = { decorator: 'DistributedLock', target, name };
    assertMethod(place, descriptor);
    const { onBusy, connection, ...options } = readOptions(place, given);
    const method = descriptor.value as AnyMethod;
    const keyOf = compileKey(key, method, place);
    const give = callKindOf(method, place, onBusy === 'skip');
    const shown = shownPlace(place);
    LOCK_GATES.injectInto(target, connection);

    wrapMethod(descriptor, (self, args, wrapper) => {
      const gate = LOCK_GATES.of(self, connection);
      // Asked at the call: the decorator that makes a message handler may stand above.
      const refusal = (error: unknown) => gate?.refusal(error, isMessageHandler(wrapper)) ?? error;
      const run = async <T>(work: () => T | PromiseLike<T>, signal?: AbortSignal) => {
        if (!gate) throw LOCK_GATES.missing('DistributedLock', shown, connection);
        let began = false;
        const begin = () => {
          began = true;
          return work();
        };
        try {
          return await gate.using(keyOf(args), begin, signal ? { ...options, signal } : options);
        } catch (error) {
          // A method that has begun may have asked for another lock.
          if (onBusy === 'skip' && !began && isUnavailable(error)) return undefined;
          throw refusal(error);
        }
      };
      const unheard = (error: unknown) =>
        logger.error(
          `A call of ${shown}() failed, and its caller does not wait for it: ${String(error)}`,
        );
      return give({ run, method: () => Reflect.apply(method, self, args), refusal, unheard });
    });
  };
}

/** Whether another has the lock, or is to have it as this process goes. */
function isUnavailable(error: unknown): boolean {
  return error instanceof LockBusyError || error instanceof LockShutdownError;
}

/** @throws {InvalidDecoratorUseError, InvalidLockOptionError} naming the option that is wrong */
function readOptions(place: DecoratedPlace, given: DistributedLockOptions) {
  assertKnownOptions(place, given, OPTIONS);
  const wrong = (fault: string) =>
    new InvalidDecoratorUseError(place.decorator, shownPlace(place), fault);
  const { onBusy = 'wait', connection = DEFAULT_CONNECTION, ...rest } = given;
  if (onBusy !== 'wait' && onBusy !== 'throw' && onBusy !== 'skip') {
    throw wrong(`its option "onBusy" is neither 'wait' nor 'throw' nor 'skip'`);
  }
  if (typeof connection !== 'string' || connection.trim() === '') {
    throw wrong('its option "connection" is no name of a connection');
  }
  const options: LockOptions = onBusy === 'wait' ? rest : { waitMs: 0, ...rest };
  return { onBusy, connection, ...readLockOptions(shownPlace(place), options) };
}
