import { Inject } from '@nestjs/common';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import type { ConfigChange } from './config-change.js';
import { readDeclaration } from './config-declarations.js';
import type { ConfigDeclaration, ConfigOptions } from './config-options.js';
import type { ConfigStore } from './config.store.js';
import { ConfigReadOnlyError } from './watch-config.errors.js';
import {
  loadedConfigToken,
  markMethod,
  markProperty,
  watchedPropertiesOf,
  type WatchedProperty,
} from './watched-member.js';

/** What `@WatchConfig` takes beside the name. */
export interface WatchConfigOptions<T> extends ConfigOptions<T> {
  /** The connection over which the configuration is read. Default `default`. */
  readonly connection?: string;
}

/** What the compiler shows of a property whose type is not that of the values. */
export interface PropertyMustAccept<T> {
  readonly 'the type of the property must accept': T;
}

/**
 * Decorates properties that accept a `T`, and methods that can be called with one. The type of a
 * private or protected property is not seen, and so not checked.
 */
export interface WatchConfigDecorator<T> {
  <Method extends (value: T, change: ConfigChange<T>) => unknown>(
    target: object,
    method: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void;
  <Target extends object, Property extends string | symbol>(
    target: Target &
      (Property extends keyof Target
        ? [T] extends [Target[Property]]
          ? unknown
          : PropertyMustAccept<T>
        : unknown),
    property: Property,
  ): void;
}

const OPTIONS: readonly string[] = ['schema', 'default', 'format', 'connection'];

/**
 * A configuration as it is now.
 *
 * On a property: reading it gives the last good value, and after a change the next one, without a
 * promise or a call. Keep no copy of it where changes are to be seen. Assigning it fails. Plain
 * objects and arrays in it are frozen, however deep; instances that a schema has made, such as a
 * Date, are left as they are, so do not change them.
 *
 * On a method: it is called with the value and the `ConfigChange` that led to it, first while the
 * application starts, and then once for each change, one at a time and in order. If it throws,
 * that is logged and hurts nobody. For a class that is request-scoped, an object is made for
 * each change.
 *
 * Values are there before the application's first `onModuleInit`, in providers, controllers,
 * guards and the like, of every scope. Without a document and a `default` the start fails with a
 * `ConfigMissingError`; with an invalid document, and neither a snapshot nor a default that stands
 * in, with a `ConfigInvalidError`.
 *
 * Give the same `schema` wherever the same configuration is watched.
 *
 * @param key which configuration, such as `prices`; its documents are those under
 *   `<namespace>/config/<key>/live/layer/`
 * @throws {InvalidDecoratorUseError} while the class is defined, if the name, an option or the
 *   place is wrong
 *
 * @example
 * ```ts
 * const Prices = z.object({ currency: z.string(), perItem: z.number() });
 *
 * @WatchConfig('prices', { schema: Prices })
 * readonly prices!: z.infer<typeof Prices>;
 *
 * @WatchConfig('limits', { schema: Limits, default: { perMinute: 60 } })
 * resize(limits: Limits, change: ConfigChange<Limits>): void { … }
 * ```
 */
export function WatchConfig<
  // Without a schema or a default nothing is known of the value.
  // oxlint-disable-next-line typescript/no-explicit-any
  T = any,
>(key: string, options?: WatchConfigOptions<T>): WatchConfigDecorator<T>;
export function WatchConfig(
  key: string,
  options: WatchConfigOptions<unknown> = {},
): WatchConfigDecorator<unknown> {
  return (target: object, name: string | symbol, descriptor?: PropertyDescriptor) => {
    const place = placeOf(target, name);
    assertPlace(place, target, descriptor);
    const declaration = declarationOf(place, key, options);
    const { connection = DEFAULT_CONNECTION } = options;
    const hidden = Symbol(`the configuration "${key}" of ${place}`);
    Inject(loadedConfigToken(connection))(target, hidden);

    if (descriptor) {
      markMethod(descriptor.value as object, { declaration, connection });
      // Injected so that an application without the module fails at its start.
      swallowInjection(target, hidden, () => undefined);
      return;
    }
    const property: WatchedProperty = {
      name,
      declaration,
      connection,
      bind: binding(place, name, declaration),
    };
    markProperty(target, property);
    swallowInjection(target, hidden, (instance, store) => {
      const effective = watchedPropertiesOf(Reflect.getPrototypeOf(instance) ?? {}).get(name);
      // A subclass may have overridden it.
      if (effective === property) property.bind(instance, store);
    });
  };
}

/** Has Nest's assignment of the injected store do something else than making a property. */
function swallowInjection(
  prototype: object,
  hidden: symbol,
  take: (instance: object, store: ConfigStore) => void,
): void {
  Reflect.defineProperty(prototype, hidden, {
    configurable: true,
    get: () => undefined,
    set(this: object, store: ConfigStore) {
      take(this, store);
    },
  });
}

/**
 * What makes the property of an object show the value. It is the object's own: a class field
 * without an initial value may be one already, and would hide an accessor of the prototype.
 */
function binding(
  place: string,
  name: string | symbol,
  declaration: ConfigDeclaration,
): WatchedProperty['bind'] {
  const accessors = new WeakMap<ConfigStore, PropertyDescriptor>();
  return (instance, store) => {
    const standing = Reflect.getOwnPropertyDescriptor(instance, name);
    if (standing && !isUnset(standing)) {
      throw misuse(
        place,
        'it has a value of its own; leave that out, and give the decorator a "default" instead',
      );
    }
    let accessor = accessors.get(store);
    if (!accessor) {
      const config = store.follow(declaration.key, declaration);
      accessor = {
        configurable: true,
        enumerable: true,
        get: () => config.value,
        set: () => {
          throw new ConfigReadOnlyError(declaration.key, place);
        },
      };
      accessors.set(store, accessor);
    }
    if (!Reflect.defineProperty(instance, name, accessor)) {
      throw misuse(place, 'its object is frozen or sealed, so nothing can be put on it');
    }
  };
}

/** A field that nothing was assigned to, or one that was bound before. */
function isUnset(descriptor: PropertyDescriptor): boolean {
  return !('value' in descriptor) || descriptor.value === undefined;
}

function declarationOf(
  place: string,
  key: string,
  options: WatchConfigOptions<unknown>,
): ConfigDeclaration {
  // Whoever writes JavaScript may have given anything.
  const unknown = Object.keys(options ?? {}).find((option) => !OPTIONS.includes(option));
  if (unknown !== undefined) {
    throw misuse(place, `it has no option "${unknown}", only ${OPTIONS.join(', ')}`);
  }
  const connection: unknown = options?.connection ?? DEFAULT_CONNECTION;
  if (typeof connection !== 'string' || connection === '') {
    throw misuse(place, 'its option "connection" is no name');
  }
  try {
    return readDeclaration(key, options);
  } catch (error) {
    if (!(error instanceof EtcdCoordinationError)) throw error;
    throw misuse(place, error.message.replace(/\.$/, ''));
  }
}

function assertPlace(
  place: string,
  target: object,
  descriptor: PropertyDescriptor | undefined,
): void {
  if (typeof target === 'function') {
    throw misuse(place, 'Nest injects nothing into a class itself');
  }
  if (descriptor && typeof descriptor.value !== 'function') {
    throw misuse(place, 'it is an accessor');
  }
}

function misuse(place: string, fault: string): InvalidDecoratorUseError {
  return new InvalidDecoratorUseError('WatchConfig', place, fault, 'properties and methods');
}

function placeOf(target: object, name: string | symbol): string {
  return typeof target === 'function'
    ? `the static ${target.name}.${String(name)}`
    : `${target.constructor.name}.${String(name)}`;
}
