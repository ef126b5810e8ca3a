import type { ModulesContainer } from '@nestjs/core';

type NestModule = ModulesContainer extends Map<string, infer Module> ? Module : never;

/** What Nest keeps for each provider and controller. */
export type InstanceWrapper = NestModule['providers'] extends Map<unknown, infer W> ? W : never;

/** A class of which the application has objects, and what Nest keeps of them. */
export interface ApplicationClass {
  readonly type: NewableFunction & { readonly prototype: object };
  readonly wrapper: InstanceWrapper;
}

/** Every class of an application that Nest builds, and the classes of the objects that it was given. */
export function* classesOf(modules: ModulesContainer): Iterable<ApplicationClass> {
  const seen = new Set<InstanceWrapper>();
  for (const { controllers, providers, injectables } of modules.values()) {
    const wrappers = [...controllers.values(), ...providers.values(), ...injectables.values()];
    for (const wrapper of wrappers) {
      // An alias is another name for a provider that is found by its own.
      if (wrapper.isAlias || seen.has(wrapper)) continue;
      seen.add(wrapper);
      const type = classOf(wrapper);
      if (type) yield { type, wrapper };
    }
  }
}

/** The object of a provider that Nest did not build itself (`useFactory`, `useValue`), and so injected nothing into. */
export function givenObject(wrapper: InstanceWrapper): object | null {
  const instance: unknown = wrapper.instance;
  return (wrapper.isFactory || wrapper.isNotMetatype) && isObject(instance) ? instance : null;
}

/** The methods that objects with this prototype have, each as a call would find it. */
export function* methodsOf(
  prototype: object,
): Iterable<{ readonly name: string | symbol; readonly method: (...args: never[]) => unknown }> {
  const seen = new Set<string | symbol>();
  let at: object | null = prototype;
  for (; at && at !== Object.prototype; at = Reflect.getPrototypeOf(at)) {
    for (const name of Reflect.ownKeys(at)) {
      // What a subclass overrides is its own affair: it says itself how it is marked.
      if (seen.has(name)) continue;
      seen.add(name);
      const method: unknown = Reflect.getOwnPropertyDescriptor(at, name)?.value;
      if (typeof method === 'function') yield { name, method: method as () => unknown };
    }
  }
}

function classOf(wrapper: InstanceWrapper): ApplicationClass['type'] | null {
  if (wrapper.metatype && !wrapper.isFactory) return wrapper.metatype;
  const instance: unknown = wrapper.instance;
  if (!isObject(instance) || typeof instance.constructor !== 'function') return null;
  return instance.constructor;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
