import 'reflect-metadata';
import { isObservable, type Observable } from 'rxjs';
import type { AnyMethod, DecoratedPlace } from '../nest/decorated-method.js';
import { shownPlace } from '../nest/decorated-method.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { type CallKind, generated, observed, promised, unawaited } from './locked-call.js';

/** A method that can wait for a lock before it runs. */
export type LockableMethod = (
  // oxlint-disable-next-line typescript/no-explicit-any
  ...args: any[]
) => void | PromiseLike<unknown> | Observable<unknown> | AsyncIterable<unknown>;

/**
 * How the calls of a method give what it gives, by what is known of its type while the class is
 * defined.
 *
 * @throws {InvalidDecoratorUseError} if it gives at once what a lock has to be waited for, or a
 *   value where its calls may be skipped
 */
export function callKindOf(method: AnyMethod, place: DecoratedPlace, skips: boolean): CallKind {
  // The tag, unlike util.types, is seen through another decorator's Proxy.
  const { [Symbol.toStringTag]: tag } = method as { [Symbol.toStringTag]?: string };
  const returned = returnTypeOf(place);
  const refuse = (fault: string) =>
    new InvalidDecoratorUseError(place.decorator, shownPlace(place), fault);

  if (tag === 'GeneratorFunction')
    throw refuse('it is a generator that cannot wait: make it async');
  const streams =
    tag === 'AsyncGeneratorFunction'
      ? generated
      : isObservable(returned?.prototype)
        ? observed
        : null;
  if (streams && skips) {
    throw refuse(`it returns values, which a call that is skipped (onBusy: 'skip') does not have`);
  }
  if (streams) return streams;
  if (tag === 'AsyncFunction' || returned === Promise) return promised;
  if (tellsNothing(returned)) return unawaited;
  throw refuse(
    `it returns ${returned.name} at once, and the lock has to be waited for: make it async, so that it returns a promise`,
  );
}

/** What TypeScript says of it, if its metadata are emitted; undefined for `void`, too. */
function returnTypeOf({ target, name }: DecoratedPlace): NewableFunction | undefined {
  const type: unknown = Reflect.getMetadata('design:returntype', target, name);
  return typeof type === 'function' ? type : undefined;
}

/** Whether the type may be any: `void`, a union or an interface; or is another kind of promise. */
function tellsNothing(type: NewableFunction | undefined): type is undefined {
  if (type === undefined || [Object, Function].some((any) => type === (any as unknown)))
    return true;
  return typeof (type.prototype as Partial<PromiseLike<unknown>> | undefined)?.then === 'function';
}
