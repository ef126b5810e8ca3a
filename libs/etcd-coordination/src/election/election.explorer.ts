import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import {
  type ApplicationClass,
  classesOf,
  givenObject,
  methodsOf,
} from '../nest/application-classes.js';
import { isMessageHandler } from '../nest/message-handler.js';
import { leaderGateKey, type LeaderGate } from './leader-gate.js';
import { type Participation, participationsOf } from './participation.js';
import { markedMethodsOf, TermHookTarget } from './term-hook-target.js';

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

type Draft = Participation & { participants: Set<string>; targets: TermHookTarget[] };

/** Finds the decorated classes of one application. */
@Injectable()
export class ElectionExplorer {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  explore(): Exploration {
    const found = [...classesOf(this.modules)].filter(
      ({ type }) => participationsOf(type).length > 0,
    );
    return {
      elections: electionsOf(found),
      ungated: found.flatMap(ungatedOf),
      handlesMessages: found.some(({ type }) =>
        [...methodsOf(type.prototype)].some(({ method }) => isMessageHandler(method)),
      ),
    };
  }
}

/** Puts the gate on an object that Nest did not build. */
export function giveGate(instance: object, connection: string, gate: LeaderGate): void {
  Reflect.defineProperty(instance, leaderGateKey(connection), { value: gate, configurable: true });
}

function electionsOf(found: readonly ApplicationClass[]): readonly ExploredElection[] {
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

function ungatedOf({ type, wrapper }: ApplicationClass): readonly UngatedInstance[] {
  const instance = givenObject(wrapper);
  if (!instance) return [];
  const connections = new Set(participationsOf(type).map(({ connection }) => connection));
  return [...connections]
    .filter((connection) => !(leaderGateKey(connection) in instance))
    .map((connection) => ({ className: type.name, connection, instance }));
}
