import type { ModulesContainer } from '@nestjs/core';
import { type ApplicationClass, classesOf, givenObject, methodsOf } from './application-classes.js';
import type { Gate, GateKind } from './gate.js';
import { isMessageHandler } from './message-handler.js';

/** An object that Nest did not build itself (`useFactory`, `useValue`), and so did not give its gate. */
export interface UngatedInstance {
  readonly className: string;
  readonly connection: string;
  readonly instance: object;
  readonly kind: GateKind<Gate>;
}

/** The classes of an application whose methods have gates. */
export interface GatedClasses {
  readonly ungated: readonly UngatedInstance[];
  /** Whether a class of them handles messages. */
  readonly handlesMessages: boolean;
}

/** Finds what is gated by one of these kinds. */
export function gatedClassesOf(
  modules: ModulesContainer,
  kinds: readonly GateKind<Gate>[],
): GatedClasses {
  const found = [...classesOf(modules)].filter(({ type }) =>
    kinds.some((kind) => kind.connectionsOf(type).length > 0),
  );
  return {
    ungated: found.flatMap((gated) => kinds.flatMap((kind) => ungatedOf(gated, kind))),
    handlesMessages: found.some(({ type }) =>
      [...methodsOf(type.prototype)].some(({ method }) => isMessageHandler(method)),
    ),
  };
}

function ungatedOf(
  { type, wrapper }: ApplicationClass,
  kind: GateKind<Gate>,
): readonly UngatedInstance[] {
  const instance = givenObject(wrapper);
  if (!instance) return [];
  return kind
    .connectionsOf(type)
    .filter((connection) => !kind.isOn(instance, connection))
    .map((connection) => ({ className: type.name, connection, instance, kind }));
}
