import { DEFAULT_CONNECTION } from '../../client/connection-name.js';
import { nameFault, shownName } from '../../client/name-fault.js';
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
import { returnsPromise } from '../../nest/returns-promise.js';
import { noteDegraded } from './degraded-methods.js';
import { standInFor } from './stand-in.js';
import { SWITCH_GATES } from './switch-gate.js';

/** What `@Degradable` takes beside the name of the switch. */
export interface DegradableOptions<F extends string | AnyMethod = string | AnyMethod> {
  /**
   * What runs in place of a call that is cut, with its arguments and its `this`: the name of a method of
   * the class, or a function. Left out, the call fails with a `DegradedError`: HTTP 503 in a controller,
   * an `RpcException` in a message handler.
   */
  readonly fallback?: F;
  /** The connection over which the switch is set. Default `default`. */
  readonly connection?: string;
}

/** Whether a fallback takes a method's arguments and gives what its callers await. */
type Fits<F, M extends AnyMethod> = F extends (
  ...args: Parameters<M>
) => ReturnType<M> | Awaited<ReturnType<M>>
  ? unknown
  : { readonly fallback: 'takes other arguments than the method, or gives something else' };

/** As {@link Fits}, of a method by its name; one that is private cannot be looked at. */
type NamedFits<T, F, M extends AnyMethod> = F extends keyof T ? Fits<T[F], M> : unknown;

/** Decorates methods that the fallback can stand in for. */
export type DegradableDecorator<F> = <T extends object, M extends AnyMethod>(
  target: T,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<M> & (F extends string ? NamedFits<T, F, M> : Fits<F, M>),
) => void;

/**
 * The method can be done without: while its switch is off, what stands in for it runs, or the call fails
 * at once. While the switch is on, calls are measured if the switch has a rule by which it cuts itself.
 *
 * Whether a call runs is read from memory. A method that returns its value at once still does, and so does
 * its fallback; that of one that is `async`, or declares to return a promise, may do either. Of a promise
 * it counts how it settles, of an Observable how each subscription goes, and that an error is HTTP 4xx is
 * no failure.
 *
 * It stands above or below other decorators, on controllers, message handlers and providers of every
 * scope. An application that has not declared the switch does not start.
 *
 * A call fails, if it was cut, with `DegradedError` (HTTP 503) if there is no fallback, and with
 * `DegradedFallbackError` (503), whose cause is the fallback's error.
 *
 * @param name one of the switches of the option `traffic.switches`
 * @throws {InvalidDecoratorUseError} while the class is defined, if the class has no method of the
 *   fallback's name, or the name, an option or the place is wrong
 *
 * @example
 * ```ts
 * @Degradable('recommendations', { fallback: () => [] })
 * async recommend(order: Order): Promise<Item[]> { … }
 *
 * @Degradable('statistics', { fallback: 'lastKnown' })
 * statistics(): Statistics { … }
 * ```
 */
export function Degradable<const F extends string | AnyMethod = never>(
  name: string,
  options?: DegradableOptions<F>,
): [F] extends [never] ? MethodDecorator : DegradableDecorator<F>;
export function Degradable(name: string, given: DegradableOptions = {}): MethodDecorator {
  return (target, method, descriptor: PropertyDescriptor) => {
    const place = { decorator: 'Degradable', target, name: method };
    assertMethod(place, descriptor);
    const { fallback, connection } = readOptions(place, name, given);
    const original = descriptor.value as AnyMethod;
    const promises = returnsPromise(place, original);
    const shown = shownPlace(place);
    noteDegraded(target.constructor, { switch: name, connection, place: shown });
    SWITCH_GATES.injectInto(target, connection);

    wrapMethod(descriptor, (self, args, wrapper) => {
      const gate = SWITCH_GATES.of(self, connection);
      const found = gate?.switchOf(name, shown);
      if (found?.admits()) return found.run(() => Reflect.apply(original, self, args));
      const standIn = fallback && {
        name: fallback.name,
        run: () => Reflect.apply(fallback.of(self), self, args),
      };
      const cut = () => {
        if (!gate || !found) throw SWITCH_GATES.missing('Degradable', shown, connection);
        // Asked at the call: the decorator that makes a message handler may stand above.
        return standInFor(found.status, standIn, (error) =>
          gate.refusal(error, isMessageHandler(wrapper)),
        );
      };
      return promises ? promised(cut) : cut();
    });
  };
}

/** What callers who count on a promise get, whatever it comes to. */
async function promised(answer: () => unknown): Promise<unknown> {
  return answer();
}

/** @throws {InvalidDecoratorUseError} naming the option that is wrong */
function readOptions(place: DecoratedPlace, name: unknown, given: DegradableOptions) {
  const wrong = (fault: string) =>
    new InvalidDecoratorUseError(place.decorator, shownPlace(place), fault);
  if (nameFault(name) !== null) throw wrong(`${shownName(name)} is no name of a switch`);
  assertKnownOptions(place, given, ['fallback', 'connection']);
  const { fallback, connection = DEFAULT_CONNECTION } = given;
  if (typeof connection !== 'string' || connection.trim() === '') {
    throw wrong('its option "connection" is no name of a connection');
  }
  return { connection, fallback: readFallback(place, fallback, wrong) };
}

/** The fallback of an object, and its name for people; null if there is none. */
function readFallback(
  { target }: DecoratedPlace,
  fallback: unknown,
  wrong: (fault: string) => Error,
): { readonly name: string; of(self: unknown): AnyMethod } | null {
  if (fallback === undefined) return null;
  if (typeof fallback === 'function') {
    const name = fallback.name === '' || fallback.name === 'fallback' ? '' : ` ${fallback.name}()`;
    return {
      name: `the fallback${name} of ${target.constructor.name}`,
      of: () => fallback as AnyMethod,
    };
  }
  if (typeof fallback !== 'string') {
    throw wrong('its option "fallback" is neither a function nor the name of a method');
  }
  const methods = target as Record<string, unknown>;
  if (typeof methods[fallback] !== 'function') {
    throw wrong(`its option "fallback" names no method of the class: there is no ${fallback}()`);
  }
  return {
    name: `${target.constructor.name}.${fallback}()`,
    // As a subclass has it.
    of: (self) => (self as Record<string, AnyMethod>)[fallback]!,
  };
}
