import 'reflect-metadata';
import type { LeaderTerm } from './leader-term.js';
import { type Participation, participate } from './participation.js';

/** When a marked method is called. */
export type TermHookKind = 'elected' | 'revoked';

/** What `@OnElected` and `@OnRevoked` say of a method. */
export interface TermHook extends Participation {
  readonly kind: TermHookKind;
}

/** Options of `@OnElected` and `@OnRevoked`. */
export interface TermHookOptions {
  /** The connection over which the election is held. Default `default`. */
  readonly connection?: string;
}

/** A method that may take a term. What it returns is awaited, and otherwise ignored. */
export type TermMethod = (term: LeaderTerm) => unknown;

const TERM_HOOKS = Symbol('nestjs-etcd-coordination:term-hooks');

/** Marks a method for the explorer. One method may carry several marks. */
export function markTermHook(
  decorator: string,
  kind: TermHookKind,
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<TermMethod>,
  election: string,
  options: TermHookOptions | undefined,
): void {
  const at = participate(decorator, target, method, descriptor, election, options?.connection);
  const marked = descriptor.value!;
  Reflect.defineMetadata(TERM_HOOKS, [...termHooksOf(marked), { kind, ...at }], marked);
}

/** The marks of a method. */
export function termHooksOf(method: object): readonly TermHook[] {
  return (Reflect.getOwnMetadata(TERM_HOOKS, method) as TermHook[] | undefined) ?? [];
}
