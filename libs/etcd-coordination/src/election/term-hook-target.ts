import { type InstanceWrapper, methodsOf } from '../nest/application-classes.js';
import { type Marked, MarkedMethods } from '../nest/marked-methods.js';
import type { LeaderTerm } from './leader-term.js';
import { type TermHook, type TermHookKind, termHooksOf } from './term-hook.js';

/** A method that is told of terms. */
export type MarkedMethod = Marked<TermHook>;

/** The marked methods of a class, looked up the way a call would find them. */
export function markedMethodsOf(type: { readonly prototype: object }): readonly MarkedMethod[] {
  return [...methodsOf(type.prototype)].flatMap(({ name, method }) =>
    termHooksOf(method).map((hook) => ({ ...hook, name })),
  );
}

/** The methods of one provider or controller that follow the terms of one election. */
export class TermHookTarget {
  private readonly marked: MarkedMethods<TermHook, [LeaderTerm]>;

  constructor(
    readonly className: string,
    wrapper: InstanceWrapper,
    methods: readonly MarkedMethod[],
  ) {
    this.marked = new MarkedMethods(className, wrapper, methods);
  }

  methodsFor(kind: TermHookKind): readonly MarkedMethod[] {
    return this.marked.methods.filter((method) => method.kind === kind);
  }

  /** The objects to call for a term: those that exist, or for a request-scoped class one made for the term. */
  instances(term: LeaderTerm) {
    return this.marked.instances(term);
  }
}
