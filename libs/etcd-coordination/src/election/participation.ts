import 'reflect-metadata';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import { assertMethod } from '../nest/decorated-method.js';
import { LEADER_GATES } from './leader-gate.js';

/** An election that a class takes part in, over one connection. */
export interface Participation {
  readonly election: string;
  readonly connection: string;
}

const PARTICIPATIONS = Symbol('nestjs-etcd-coordination:participations');

/**
 * Notes that a class takes part in an election and has Nest put the gate on its objects: so
 * an application without the module fails at its start, and not at the first call.
 */
export function participate(
  decorator: string,
  target: object,
  method: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  election: string,
  connection: string = DEFAULT_CONNECTION,
): Participation {
  assertMethod({ decorator, target, name: method }, descriptor);
  const participation = { election, connection };
  const known = participationsOf(target.constructor);
  Reflect.defineMetadata(PARTICIPATIONS, [...known, participation], target.constructor);
  LEADER_GATES.injectInto(target, connection);
  return participation;
}

/** The elections of a class and of those it extends, as often as they were named. */
export function participationsOf(type: object): readonly Participation[] {
  return (Reflect.getMetadata(PARTICIPATIONS, type) as Participation[] | undefined) ?? [];
}
