import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { leaderGateKey, type LeaderGate } from './leader-gate.js';
import { isMessageHandler } from './message-handler.js';
import { type Participation, participationsOf } from './participation.js';
import { type InstanceWrapper, markedMethodsOf, TermHookTarget } from './term-hook-target.js';

/** An election that the application takes part in, with all that its classes ask of it. */
export interface ExploredElection extends Participation {
  /** The classes that take part, by name. */
  readonly participants: readonly string[];
  readonly targets: readonly TermHookTarget[];
}

/** An object that Nest did not build itself (`useFactory`, `useValue`), and so did not give its gate. */
interface UngatedInstance {
  readonly className: string;
  readonly connection: string;
  readonly instance: object;
}

/** What the explorer found in an application. */
export interface Exploration {
  readonly elections: readonly ExploredElection[];
  readonly ungated: readonly UngatedInstance[];
  /** Whether a gated method handles messages. */
  readonly handlesMessages: boolean;
}

interface Found {
  readonly type: NewableFunction & { readonly prototype: object };
  readonly wrapper: InstanceWrapper;
}

type Draft = Participation & { participants: Set<string>; targets: TermHookTarget[] };

/** Finds the decorated classes of one application. */
@Injectable()
export class ElectionExplorer {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  explore(): Exploration {
    const found = [...this.findParticipants()];
    return {
      elections: electionsOf(found),
      ungated: found.flatMap(ungatedOf),
      handlesMessages: found.some(({ type }) => handlesMessages(type.prototype)),
    };
  }

  private *findParticipants(): Iterable<Found> {
    const seen = new Set<InstanceWrapper>();
    for (const { controllers, providers, injectables } of this.modules.values()) {
      const wrappers = [...controllers.values(), ...providers.values(), ...injectables.values()];
      for (const wrapper of wrappers) {
        // An alias is another name for a provider that is found by its own.
        if (wrapper.isAlias || seen.has(wrapper)) continue;
        seen.add(wrapper);
        const type = classOf(wrapper);
        if (type && participationsOf(type).length > 0) yield { type, wrapper };
      }
    }
  }
}

/** Puts the gate on an object that Nest did not build. */
export function giveGate(instance: object, connection: string, gate: LeaderGate): void {
  Reflect.defineProperty(instance, leaderGateKey(connection), { value: gate, configurable: true });
}

function electionsOf(found: readonly Found[]): readonly ExploredElection[] {
  const drafts = new Map<string, Draft>();
  for (const { type, wrapper } of found) {
    for (const { election, connection } of participationsOf(type)) {
      const key = JSON.stringify([connection, election]);
      const draft = drafts.get(key) ?? {
        election,
        connection,
        participants: new Set(),
        targets: [],
      };
      drafts.set(key, draft);
      draft.participants.add(type.name);
    }
    for (const draft of drafts.values()) {
      const methods = markedMethodsOf(type).filter(
        (hook) => hook.election === draft.election && hook.connection === draft.connection,
      );
      if (methods.length > 0) draft.targets.push(new TermHookTarget(type.name, wrapper, methods));
    }
  }
  return [...drafts.values()].map((draft) => ({ ...draft, participants: [...draft.participants] }));
}

function ungatedOf({ type, wrapper }: Found): readonly UngatedInstance[] {
  const instance: unknown = wrapper.instance;
  const isMade = wrapper.isFactory || wrapper.isNotMetatype;
  if (!isMade || !isObject(instance)) return [];
  const connections = new Set(participationsOf(type).map(({ connection }) => connection));
  return [...connections]
    .filter((connection) => !(leaderGateKey(connection) in instance))
    .map((connection) => ({ className: type.name, connection, instance }));
}

function classOf(wrapper: InstanceWrapper): Found['type'] | null {
  if (wrapper.metatype && !wrapper.isFactory) return wrapper.metatype;
  const instance: unknown = wrapper.instance;
  if (!isObject(instance) || typeof instance.constructor !== 'function') return null;
  return instance.constructor;
}

function handlesMessages(prototype: object): boolean {
  for (
    let at: object | null = prototype;
    at && at !== Object.prototype;
    at = Reflect.getPrototypeOf(at)
  ) {
    for (const name of Reflect.ownKeys(at)) {
      const method: unknown = Reflect.getOwnPropertyDescriptor(at, name)?.value;
      if (typeof method === 'function' && isMessageHandler(method)) return true;
    }
  }
  return false;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
