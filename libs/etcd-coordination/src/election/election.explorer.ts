import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { type ApplicationClass, classesOf } from '../nest/application-classes.js';
import { type Participation, participationsOf } from './participation.js';
import { markedMethodsOf, TermHookTarget } from './term-hook-target.js';

/** An election that the application takes part in, with all that its classes ask of it. */
export interface ExploredElection extends Participation {
  /** The classes that take part, by name. */
  readonly participants: readonly string[];
  readonly targets: readonly TermHookTarget[];
}

type Draft = Participation & { participants: Set<string>; targets: TermHookTarget[] };

/** Finds the decorated classes of one application. */
@Injectable()
export class ElectionExplorer {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  explore(): readonly ExploredElection[] {
    const found = [...classesOf(this.modules)].filter(
      ({ type }) => participationsOf(type).length > 0,
    );
    return electionsOf(found);
  }
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
