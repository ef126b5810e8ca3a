import 'reflect-metadata';
import { DEFAULT_CONNECTION } from '../../client/connection-name.js';
import {
  type AnyMethod,
  assertKnownOptions,
  assertMethod,
  type DecoratedPlace,
  shownPlace,
  wrapMethod,
} from '../../nest/decorated-method.js';
import { InvalidDecoratorUseError } from '../../nest/invalid-decorator-use.error.js';
import { isMessageHandler } from '../../nest/message-handler.js';
import type { MethodDecoratorFor } from '../../nest/method-decorator.js';
import { notePolicyUse } from './policy-uses.js';
import { RESILIENCE_GATES } from './resilience-gate.js';
import type { ExecuteOptions } from './resilience.service.js';
import type { Fallback, RequestOptions } from './resilient-request.js';

/** A method that returns a promise. */
// oxlint-disable-next-line typescript/no-explicit-any
export type PromisingMethod = (...args: any[]) => PromiseLike<unknown>;

/** What stands in for a method: given the error first, and then what the method was given. */
// oxlint-disable-next-line typescript/no-explicit-any
export type MethodFallback = (error: unknown, ...args: any[]) => unknown;

/** How `@Resilient` makes the calls of a method. */
export interface ResilientOptions extends Pick<ExecuteOptions, 'idempotent' | 'handle'> {
  /**
   * Stands in for a call that failed, or was refused by the breaker or the bulkhead: the name of another
   * method of the class, or a function. It is given the error first, and then the arguments of the call,
   * and runs as a method of the same object. To leave an error to the caller, it throws it.
   */
  readonly fallback?: string | MethodFallback;
  /** The connection whose policies are meant. Default `default`. */
  readonly connection?: string;
}

const OPTIONS = [
  'idempotent',
  'handle',
  'fallback',
  'connection',
] as const satisfies (keyof ResilientOptions)[];

/**
 * The calls of a method are kept steady by a policy: its parts stand around each call in the order
 * fallback, retry, hedge, breaker, timeout, bulkhead, outermost first. The policy is declared in the
 * option `traffic.policies` of the module, and its numbers are turned in etcd while everything runs.
 *
 * The method is called once for each attempt, with the same arguments. One that takes long passes
 * `currentCall()?.signal` on to whatever it calls: it aborts when nobody waits for the attempt any more.
 *
 * A call is repeated or hedged only if it is `idempotent`, or has certainly reached nobody.
 *
 * A call fails, and nothing of the method has run, with `BreakerOpenError` and `BulkheadFullError` (HTTP
 * 503); with `ResilienceTimeoutError` (504) if its last attempt took too long; with the method's own error
 * otherwise. Senders of messages get an `RpcException`.
 *
 * @param policy its name; one that is not declared is an error at the start of the application
 * @throws {InvalidDecoratorUseError} while the class is defined, if the method returns no promise, there
 *   is no such fallback, or an option or the place is wrong
 *
 * @example
 * ```ts
 * @Resilient('stock', { idempotent: true, fallback: 'lastKnown' })
 * async inStock(sku: string): Promise<number> {
 *   const answer = await fetch(urlOf(sku), { signal: currentCall()?.signal });
 *   …
 * }
 *
 * private lastKnown(error: unknown, sku: string): number { … }
 * ```
 */
export function Resilient(
  policy: string,
  options?: ResilientOptions,
): MethodDecoratorFor<PromisingMethod>;
export function Resilient(policy: string, given: ResilientOptions = {}): MethodDecorator {
  return (target, name, descriptor: PropertyDescriptor) => {
    const place = { decorator: 'Resilient', target, name };
    assertMethod(place, descriptor);
    const method = descriptor.value as AnyMethod;
    assertPromises(method, place);
    const { connection, fallback, idempotent, handle } = readOptions(place, policy, given);
    const shown = shownPlace(place);
    RESILIENCE_GATES.injectInto(target, connection);
    notePolicyUse(target.constructor, { policy, connection, place: shown });
    const plain: RequestOptions = { idempotent, handle, fallback: null };

    wrapMethod(descriptor, (self, args, wrapper) => {
      const gate = RESILIENCE_GATES.of(self, connection);
      if (!gate) return Promise.reject(RESILIENCE_GATES.missing('Resilient', shown, connection));
      const options = fallback
        ? { ...plain, fallback: standIn(fallback, place, self, args) }
        : plain;
      const run = gate.run(policy, () => Reflect.apply(method, self, args), options);
      // Asked at the call: the decorator that makes a message handler may stand above.
      return isMessageHandler(wrapper)
        ? run.catch((error: unknown) => Promise.reject(gate.refusal(error, true) as Error))
        : run;
    });
  };
}

function standIn(
  fallback: string | MethodFallback,
  { target }: DecoratedPlace,
  self: unknown,
  args: readonly unknown[],
): Fallback {
  const isMethod = typeof fallback === 'string';
  const name = isMethod
    ? `${target.constructor.name}.${fallback}`
    : fallback.name || 'of the decorator';
  return {
    name,
    run(error) {
      // A subclass may have one of its own.
      const run = isMethod ? (self as Record<string, MethodFallback>)[fallback]! : fallback;
      return Reflect.apply(run, self, [error, ...args]);
    },
  };
}

function readOptions(place: DecoratedPlace, policy: unknown, given: ResilientOptions) {
  assertKnownOptions(place, given, OPTIONS);
  const wrong = (fault: string) =>
    new InvalidDecoratorUseError(place.decorator, shownPlace(place), fault);
  if (typeof policy !== 'string' || policy.trim() === '') {
    throw wrong('what it is given is no name of a policy');
  }
  const { connection = DEFAULT_CONNECTION, fallback = null, idempotent = false } = given;
  const { handle = null } = given;
  if (typeof connection !== 'string' || connection.trim() === '') {
    throw wrong('its option "connection" is no name of a connection');
  }
  if (typeof idempotent !== 'boolean') {
    throw wrong('its option "idempotent" is neither true nor false');
  }
  if (handle !== null && typeof handle !== 'function') {
    throw wrong('its option "handle" is no function of the error');
  }
  const standsIn =
    typeof fallback === 'string'
      ? (place.target as Record<string, unknown>)[fallback]
      : (fallback ?? (() => undefined));
  if (typeof standsIn !== 'function') {
    throw wrong(
      `its option "fallback" is neither a function nor the name of a method of the class`,
    );
  }
  if (fallback === place.name) throw wrong('it would stand in for itself as its "fallback"');
  return { connection, fallback, idempotent, handle };
}

/** @throws {InvalidDecoratorUseError} if what is known of its type says that it gives no promise */
function assertPromises(method: AnyMethod, place: DecoratedPlace): void {
  // The tag, unlike util.types, is seen through another decorator's Proxy.
  const { [Symbol.toStringTag]: tag } = method as { [Symbol.toStringTag]?: string };
  if (tag === 'AsyncFunction') return;
  const returned: unknown = Reflect.getMetadata('design:returntype', place.target, place.name);
  const isGenerator = tag === 'GeneratorFunction' || tag === 'AsyncGeneratorFunction';
  // Of a union, an interface or a generic type only "Object" is told.
  const mayPromise = returned === undefined || returned === Promise || returned === Object;
  if (!isGenerator && mayPromise) return;
  const fault = 'it returns no promise, which its calls give: make it async';
  throw new InvalidDecoratorUseError(place.decorator, shownPlace(place), fault);
}
