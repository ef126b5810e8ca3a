import 'reflect-metadata';
import { copyMetadata } from './copy-metadata.js';
import { InvalidDecoratorUseError } from './invalid-decorator-use.error.js';

// oxlint-disable-next-line typescript/no-explicit-any
export type AnyMethod = (...args: any[]) => unknown;

/** A method that returns nothing, or a promise of nothing: a call of it can be skipped. */
// oxlint-disable-next-line typescript/no-explicit-any
export type VoidMethod = (...args: any[]) => void | Promise<void>;

/** Where a decorator stands. */
export interface DecoratedPlace {
  /** The decorator's name, without "@". */
  readonly decorator: string;
  /** The prototype of the class. */
  readonly target: object;
  readonly name: string | symbol;
}

/** The place in words: `Orders.place`. */
export function shownPlace({ target, name }: DecoratedPlace): string {
  return `${target.constructor.name}.${String(name)}`;
}

/** @throws {InvalidDecoratorUseError} if it is a static method, or none */
export function assertMethod(
  place: DecoratedPlace,
  descriptor: PropertyDescriptor | undefined,
): void {
  const { decorator, target, name } = place;
  if (typeof target === 'function') {
    const statically = `the static ${target.name}.${String(name)}`;
    const fault = 'Nest injects nothing into a class itself';
    throw new InvalidDecoratorUseError(decorator, statically, fault);
  }
  if (typeof descriptor?.value !== 'function') {
    throw new InvalidDecoratorUseError(decorator, shownPlace(place), 'it is not a method');
  }
}

/**
 * Checks that the options of a decorator are an object with these options only: a misspelt one
 * would do silently what was not meant.
 *
 * @throws {InvalidDecoratorUseError} naming the unknown one, and those that there are
 */
export function assertKnownOptions(
  place: DecoratedPlace,
  options: unknown,
  known: readonly string[],
): asserts options is object {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidDecoratorUseError(
      place.decorator,
      shownPlace(place),
      'its options are not an object',
    );
  }
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const names = known.map((name) => `"${name}"`);
  const listed = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  throw new InvalidDecoratorUseError(
    place.decorator,
    shownPlace(place),
    `it has no option "${unknown}", only ${listed}`,
  );
}

/** Wrappers by what they wrap, for who wants to read its source: a Proxy has none of its own. */
const originals = new WeakMap<AnyMethod, AnyMethod>();
/** Wrappers by the wrapper around them, which decorators that stand above have marked in their place. */
const outers = new WeakMap<AnyMethod, AnyMethod>();

/**
 * Puts a wrapper in the place of a method, so that it is found there by every way in which it may
 * be called. Name, length and what other decorators have said of the method stay.
 *
 * @param call what a call of the wrapper does; the wrapper is what decorators that stand above see
 */
export function wrapMethod(
  descriptor: PropertyDescriptor,
  call: (self: unknown, args: unknown[], wrapper: AnyMethod) => unknown,
): void {
  const method = descriptor.value as AnyMethod;
  const wrapper: AnyMethod = new Proxy(method, {
    apply: (_, self: unknown, args: unknown[]) => call(self, args, wrapper),
  });
  copyMetadata(method, wrapper);
  originals.set(wrapper, originalOf(method));
  outers.set(method, wrapper);
  descriptor.value = wrapper;
}

/** A wrapper, and those that {@link wrapMethod} has put around it, from within. */
export function* wrappersAround(wrapper: AnyMethod): Generator<AnyMethod> {
  let found: AnyMethod | undefined = wrapper;
  for (; found; found = outers.get(found)) yield found;
}

/** What {@link wrapMethod} has wrapped, once or several times; the method itself if it has not. */
export function originalOf(method: AnyMethod): AnyMethod {
  return originals.get(method) ?? method;
}
