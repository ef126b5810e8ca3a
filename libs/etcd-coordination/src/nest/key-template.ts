import { isPromise } from 'node:util/types';
import { escapeSegment, LONE_SURROGATE } from '../client/keys.js';
import { nameFault } from '../client/name-fault.js';
import { type AnyMethod, type DecoratedPlace, originalOf, shownPlace } from './decorated-method.js';
import { InvalidDecoratorUseError } from './invalid-decorator-use.error.js';
import { InvalidKeyArgumentError } from './invalid-key-argument.error.js';
import { type MethodParameters, parametersInClass, parametersOf } from './method-parameters.js';

/** A name, a template such as `'order/{orderId}'`, or a function of a call's arguments that makes one. */
// Whoever gives it knows what the arguments are.
// oxlint-disable-next-line typescript/no-explicit-any
export type KeySource = string | ((args: any) => string);

/** Makes the key of a call. @throws {InvalidKeyArgumentError} */
export type KeyOf = (args: readonly unknown[]) => string;

/** A place in a template where a value of the call goes. */
interface Placeholder {
  /** As it was written, without the braces. */
  readonly text: string;
  readonly index: number;
  readonly rest: boolean;
  readonly path: readonly string[];
}

const PLACEHOLDER = /\{([^{}]*)\}/g;
const INDEX = /^(?:0|[1-9]\d*)$/;

/**
 * Makes of a template what builds the key of each call.
 *
 * `{orderId}` is the argument of that name, or what the parameter list takes out of one under it;
 * `{0}` is the first argument; `{order.lines.0.sku}` goes into one. Names are read from the
 * method's source: a build that renames parameters needs positions. A default in the parameter
 * list is not seen. Values are escaped, so that none can reach into another segment of the key.
 *
 * @param method the function that the decorator finds, wrapped by others or not
 * @throws {InvalidDecoratorUseError} at once, if the template names what is not there, or cannot
 *   be a name
 */
export function compileKey(source: KeySource, method: AnyMethod, place: DecoratedPlace): KeyOf {
  if (typeof source === 'function') return keyOfFunction(source, place);
  if (typeof source !== 'string') {
    throw wrong(place, 'its key is neither a string nor a function');
  }
  const literals = source.split(PLACEHOLDER).filter((_, at) => at % 2 === 0);
  if (literals.some((literal) => /[{}]/.test(literal))) {
    throw wrong(place, `its key "${source}" has a brace without its counterpart`);
  }
  const fault = nameFault(source.replace(PLACEHOLDER, 'x'));
  if (fault !== null) throw wrong(place, `its key "${source}" is no name: it ${fault}`);
  const texts = [...source.matchAll(PLACEHOLDER)].map(([, text]) => text!);
  if (texts.length === 0) return () => source;

  const placeholders = resolve(source, texts, method, place);
  const shown = shownPlace(place);
  return (args) =>
    literals.reduce(
      (key, literal, at) => key + segmentOf(placeholders[at - 1]!, args, source, shown) + literal,
    );
}

function keyOfFunction(source: (args: unknown) => unknown, place: DecoratedPlace): KeyOf {
  return (args) => {
    const key = source(args);
    if (typeof key === 'string' && key !== '') return key;
    const fault = isPromise(key) ? 'is a promise' : shownFault(key);
    throw new InvalidKeyArgumentError('(args) => key', '', shownPlace(place), fault);
  };
}

/** Finds what the placeholders stand for, in the source of the method or in that of its class. */
function resolve(
  template: string,
  texts: readonly string[],
  method: AnyMethod,
  place: DecoratedPlace,
): readonly Placeholder[] {
  // Another decorator's wrapper has a source of its own, or none.
  const { target, name } = place;
  const own = parametersOf(originalOf(method));
  const read = (parameters: MethodParameters | null) =>
    texts.map((text) => placeholderOf(text, parameters));
  const fromOwn = read(own);
  if (fromOwn.every(isFound)) return fromOwn;
  const written = parametersInClass(target.constructor, name);
  const found = written ? read(written) : fromOwn;
  if (found.every(isFound)) return found;
  const missing = texts[found.findIndex((placeholder) => !isFound(placeholder))]!;
  throw wrong(place, notFound(template, missing, written ?? own));
}

function placeholderOf(text: string, parameters: MethodParameters | null): Placeholder | null {
  const [head, ...path] = text.split('.') as [string, ...string[]];
  if ([head, ...path].some((step) => step === '' || /\s/.test(step))) return null;
  if (INDEX.test(head)) {
    const index = Number(head);
    return parameters && index >= parameters.count ? null : { text, index, rest: false, path };
  }
  const named = parameters?.names.get(head);
  if (!named?.path) return null;
  return { text, index: named.index, rest: named.rest, path: [...named.path, ...path] };
}

function isFound(placeholder: Placeholder | null): placeholder is Placeholder {
  return placeholder !== null;
}

function notFound(template: string, text: string, parameters: MethodParameters | null): string {
  const asked = `its key "${template}" asks for {${text}}`;
  const head = text.split('.')[0]!;
  if (text.split('.').some((step) => step === '' || /\s/.test(step))) {
    return `${asked}, which is neither the name nor the position of an argument`;
  }
  if (!parameters) {
    return `${asked}, but another decorator hides the names of its parameters: write {0} for the first one`;
  }
  if (parameters.names.has(head)) {
    return `${asked}, but its source does not say where "${head}" comes from: write {0} for the first argument`;
  }
  const names = [...parameters.names.keys()].join(', ');
  return `${asked}, but has no such parameter, ${names === '' ? 'nor any other' : `only ${names}`}`;
}

/** The value of one placeholder in a call, as a part of the key. */
function segmentOf(
  { text, index, rest, path }: Placeholder,
  args: readonly unknown[],
  template: string,
  method: string,
): string {
  let value: unknown = rest ? args.slice(index) : args[index];
  for (const step of path) {
    if (value === null || value === undefined) break;
    value = (value as Record<string, unknown>)[step];
  }
  const fault = valueFault(value);
  if (fault !== null) throw new InvalidKeyArgumentError(template, text, method, fault);
  return escapeSegment(String(value));
}

function valueFault(value: unknown): string | null {
  if (typeof value === 'string' && value !== '') {
    return LONE_SURROGATE.test(value) ? 'holds half of a surrogate pair' : null;
  }
  const isValue = Number.isFinite(value) || typeof value === 'bigint' || typeof value === 'boolean';
  return isValue ? null : shownFault(value);
}

/** What it is instead; never the value itself, which may be anybody's secret. */
function shownFault(value: unknown): string {
  if (value === null || value === undefined) return `is ${String(value)}`;
  if (value === '') return 'is an empty string';
  if (typeof value === 'number') return `is ${value}`;
  if (Array.isArray(value)) return 'is an array';
  return typeof value === 'object' ? 'is an object' : `is a ${typeof value}`;
}

function wrong(place: DecoratedPlace, fault: string): InvalidDecoratorUseError {
  return new InvalidDecoratorUseError(place.decorator, shownPlace(place), fault);
}
