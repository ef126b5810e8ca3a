import 'reflect-metadata';
import type { InjectionToken } from '@nestjs/common';
import { ConnectionSymbols, importAdvice } from '../nest/connection-symbols.js';
import type { ConfigDeclaration } from './config-options.js';
import type { ConfigStore } from './config.store.js';

/** What `@WatchConfig` says of a property or a method. */
export interface WatchMark {
  readonly declaration: ConfigDeclaration;
  readonly connection: string;
}

/** A property that shows a configuration. */
export interface WatchedProperty extends WatchMark {
  readonly name: string | symbol;
  /** Makes the property of this object one that shows the store's value. */
  readonly bind: (instance: object, store: ConfigStore) => void;
}

const PROPERTIES = Symbol('nestjs-etcd-coordination:watched-properties');
const METHODS = Symbol('nestjs-etcd-coordination:config-methods');

const tokens = new ConnectionSymbols(
  (connection) => `ConfigStore for @WatchConfig (import ${importAdvice(connection)})`,
);

/**
 * The token of a connection's store when all that the application's classes watch is loaded:
 * what Nest makes of a class that has some of it finds its values there.
 */
export function loadedConfigToken(connection: string): InjectionToken<ConfigStore> {
  return tokens.of(connection);
}

/** Notes a decorated property of a class. */
export function markProperty(prototype: object, property: WatchedProperty): void {
  const own = Reflect.getOwnMetadata(PROPERTIES, prototype) as
    Map<string | symbol, WatchedProperty> | undefined;
  Reflect.defineMetadata(
    PROPERTIES,
    new Map([...(own ?? []), [property.name, property]]),
    prototype,
  );
}

/** Notes what a decorated method is to be told. One method may carry several marks. */
export function markMethod(method: object, mark: WatchMark): void {
  Reflect.defineMetadata(METHODS, [...watchMarksOf(method), mark], method);
}

/** The marks of a method. */
export function watchMarksOf(method: object): readonly WatchMark[] {
  return (Reflect.getOwnMetadata(METHODS, method) as WatchMark[] | undefined) ?? [];
}

/**
 * The decorated properties of objects with this prototype. What a subclass declares with a
 * decorator, a method or an accessor of its own takes the place of what it inherits.
 */
export function watchedPropertiesOf(
  prototype: object,
): ReadonlyMap<string | symbol, WatchedProperty> {
  const found = new Map<string | symbol, WatchedProperty>();
  const seen = new Set<string | symbol>();
  let at: object | null = prototype;
  for (; at && at !== Object.prototype; at = Reflect.getPrototypeOf(at)) {
    const own = Reflect.getOwnMetadata(PROPERTIES, at) as typeof found | undefined;
    for (const [name, property] of own ?? []) if (!seen.has(name)) found.set(name, property);
    for (const name of [...(own?.keys() ?? []), ...Reflect.ownKeys(at)]) seen.add(name);
  }
  return found;
}
