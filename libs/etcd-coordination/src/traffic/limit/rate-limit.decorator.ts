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
import { returnsPromise } from '../../nest/returns-promise.js';
import {
  handlerUsesOf,
  isHandler,
  type LimitUse,
  noteHandlerUse,
  noteLimitUse,
  type OfCall,
} from './limit-uses.js';
import { RATE_LIMIT_GATES } from './rate-limit-gate.js';
import { guard } from './rate-limit.guard.js';

/** By what `@RateLimit` counts a call. */
export interface RateLimitDecoratorOptions {
  /**
   * Whose call it is, in the place of the rule's own key; for a rule that has one: `'call'` if it has no other,
   * and one without a key is an error at the start of the application. It is given the request of
   * an HTTP handler, and the arguments of every other method. Undefined, null and an empty string are
   * nobody's: those calls share a limit.
   */
  readonly key?: OfCall<string | number | bigint | null | undefined>;
  /** How many calls it counts for, up to the rule's burst, or a function, given the same, that says so. Default 1. */
  readonly cost?: number | OfCall<number>;
  /** The connection whose limits are meant. Default `default`. */
  readonly connection?: string;
}

const OPTIONS = [
  'key',
  'cost',
  'connection',
] as const satisfies (keyof RateLimitDecoratorOptions)[];

/**
 * Lets only so many calls through as a limit of `traffic.limits` says, which is turned in etcd while everything
 * runs. It stands on methods of every provider, and on controllers, for all of their handlers.
 *
 * - An HTTP handler answers 429 with `Retry-After`, and tells of the limit in `RateLimit-Policy` and `RateLimit`
 *   on every answer. Its calls are counted by a guard, so before pipes and interceptors, and after the guards of
 *   decorators that stand below: for a rule by `'user'`, put it above the guard that finds out who it is.
 * - The sender of a message gets an `RpcException`.
 * - Any other call fails with `RateLimitedError`, in the way of the method: a promise rejects. Handlers that
 *   the application calls itself are not counted.
 *
 * @param rule its name; one that is not declared is an error at the start of the application
 * @throws {InvalidDecoratorUseError} while the class is defined, if an option or the place is wrong
 *
 * @example
 * ```ts
 * @Post()
 * @RateLimit('orders')
 * place(@Body() order: Order): Promise<Placed> { … }
 *
 * @RateLimit('mails', { key: (to: string) => to })
 * async send(to: string, text: string): Promise<void> { … }
 * ```
 */
export function RateLimit(
  rule: string,
  given: RateLimitDecoratorOptions = {},
): ClassDecorator & MethodDecorator {
  // oxlint-disable-next-line typescript/no-unsafe-function-type
  return (target: object | Function, name?: string | symbol, descriptor?: PropertyDescriptor) => {
    if (name === undefined) limitController(target as NewableFunction, rule, given);
    else limitMethod({ decorator: 'RateLimit', target, name }, descriptor, rule, given);
  };
}

function limitController(
  type: NewableFunction,
  rule: string,
  given: RateLimitDecoratorOptions,
): void {
  const prototype = type.prototype as object;
  const place = { decorator: 'RateLimit', target: prototype, name: 'constructor' };
  const use = { ...readUse(place, rule, given, type.name), isWhole: true };
  noteLimitUse(type, use);
  guard(type, use.connection, 'controller');
}

function limitMethod(
  place: DecoratedPlace,
  descriptor: PropertyDescriptor | undefined,
  rule: string,
  given: RateLimitDecoratorOptions,
): void {
  assertMethod(place, descriptor);
  const { target, name } = place;
  const shown = shownPlace(place);
  const use = { ...readUse(place, rule, given, shown), isWhole: false };
  const { connection } = use;
  const method = descriptor!.value as AnyMethod;
  const rejects = returnsPromise(place, method);
  RATE_LIMIT_GATES.injectInto(target, connection);
  noteLimitUse(target.constructor, use);

  wrapMethod(descriptor!, (self, args) => {
    if (isGuarded(self, name, use)) return Reflect.apply(method, self, args);
    const gate = RATE_LIMIT_GATES.of(self, connection);
    const refusal = refusalOf(() => {
      if (!gate) throw RATE_LIMIT_GATES.missing('RateLimit', shown, connection);
      const decision = gate.check(use, args);
      if (!decision.allowed) throw gate.refusal(rule, decision, false);
    });
    if (refusal && rejects) return Promise.reject(refusal);
    if (refusal) throw refusal;
    return Reflect.apply(method, self, args);
  });
  const wrapper = descriptor!.value as AnyMethod;
  noteHandlerUse(wrapper, use);
  guard(wrapper, connection, 'handler');
}

function refusalOf(ask: () => void): Error | null {
  try {
    ask();
    return null;
  } catch (error) {
    return error as Error;
  }
}

/** Whether the guard has counted the call: the outermost decorator's function is what Nest serves. */
function isGuarded(self: unknown, name: string | symbol, use: LimitUse): boolean {
  const served = (self as Record<string | symbol, unknown> | null | undefined)?.[name];
  return typeof served === 'function' && isHandler(served) && handlerUsesOf(served).includes(use);
}

/** @throws {InvalidDecoratorUseError} naming the option that is wrong */
function readUse(
  place: DecoratedPlace,
  rule: unknown,
  given: RateLimitDecoratorOptions,
  shown: string,
): Omit<LimitUse, 'isWhole'> {
  assertKnownOptions(place, given, OPTIONS);
  const wrong = (fault: string) => new InvalidDecoratorUseError('RateLimit', shown, fault);
  const { key = null, cost = 1, connection = DEFAULT_CONNECTION } = given;
  if (typeof rule !== 'string' || rule === '') throw wrong('it names no limit');
  if (key !== null && typeof key !== 'function') throw wrong('its option "key" is no function');
  if (typeof cost !== 'function' && !(typeof cost === 'number' && cost > 0 && cost < Infinity)) {
    throw wrong('its option "cost" is neither a number above 0 nor a function');
  }
  if (typeof connection !== 'string' || connection.trim() === '') {
    throw wrong('its option "connection" is no name of a connection');
  }
  return { rule, connection, place: shown, key, cost };
}
