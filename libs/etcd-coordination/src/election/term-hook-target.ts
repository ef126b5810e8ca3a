import { ContextIdFactory, ModuleRef, type ModulesContainer } from '@nestjs/core';
import type { LeaderTerm } from './leader-term.js';
import { type TermHook, type TermHookKind, termHooksOf } from './term-hook.js';

type NestModule = ModulesContainer extends Map<string, infer Module> ? Module : never;

/** What Nest keeps for each provider and controller. */
export type InstanceWrapper = NestModule['providers'] extends Map<unknown, infer W> ? W : never;

type TermMethods = Record<string | symbol, ((term: LeaderTerm) => unknown) | undefined>;

/** A marked method. */
export interface MarkedMethod extends TermHook {
  readonly name: string | symbol;
}

/** The marked methods of a class, looked up the way a call would find them. */
export function markedMethodsOf(type: { readonly prototype: object }): readonly MarkedMethod[] {
  const marked: MarkedMethod[] = [];
  const seen = new Set<string | symbol>();
  let prototype: object | null = type.prototype;
  for (
    ;
    prototype && prototype !== Object.prototype;
    prototype = Reflect.getPrototypeOf(prototype)
  ) {
    for (const name of Reflect.ownKeys(prototype)) {
      // What a subclass overrides is its own affair: it says itself whether it is a hook.
      if (seen.has(name)) continue;
      seen.add(name);
      const method: unknown = Reflect.getOwnPropertyDescriptor(prototype, name)?.value;
      if (typeof method !== 'function') continue;
      marked.push(...termHooksOf(method).map((hook) => ({ ...hook, name })));
    }
  }
  return marked;
}

/** The methods of one provider or controller that follow the terms of one election. */
export class TermHookTarget {
  constructor(
    readonly className: string,
    private readonly wrapper: InstanceWrapper,
    private readonly methods: readonly MarkedMethod[],
  ) {}

  methodsFor(kind: TermHookKind): readonly MarkedMethod[] {
    return this.methods.filter((method) => method.kind === kind);
  }

  /** The objects to call for a term: those that exist, or for a request-scoped class one made for the term. */
  instances(term: LeaderTerm): Promise<readonly TermMethods[]> | readonly TermMethods[] {
    const { wrapper } = this;
    if (!wrapper.isDependencyTreeStatic()) return this.resolveFor(term);
    if (!wrapper.isTransient) return [wrapper.instance as TermMethods];
    // One for each place that it is injected into.
    return wrapper
      .getStaticTransientInstances()
      .flatMap((host) => (host ? [host.instance as TermMethods] : []));
  }

  private async resolveFor(term: LeaderTerm): Promise<readonly TermMethods[]> {
    const moduleRef = this.wrapper.host?.getProviderByKey<ModuleRef>(ModuleRef).instance;
    if (!moduleRef) throw new Error(`Nest keeps no module for ${this.className}`);
    const contextId = ContextIdFactory.create();
    // What stands for the request here is the term.
    moduleRef.registerRequestByContextId(term, contextId);
    return [await moduleRef.resolve<TermMethods>(this.wrapper.token as string, contextId)];
  }
}
