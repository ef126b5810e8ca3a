import 'reflect-metadata';
import { isMessageHandler } from '../../nest/message-handler.js';

/** What a call is counted by: its request in an HTTP handler, its arguments everywhere else. */
// oxlint-disable-next-line typescript/no-explicit-any
export type OfCall<T> = (...requestOrArguments: any[]) => T;

/** A method, or a whole controller, under a limit. */
export interface LimitUse {
  readonly rule: string;
  readonly connection: string;
  /** Who, such as "Orders.place". */
  readonly place: string;
  readonly key: OfCall<unknown> | null;
  readonly cost: number | OfCall<unknown>;
  /** Whether the whole class is meant, which must be a controller then. */
  readonly isWhole: boolean;
}

const OWN = Symbol('nestjs-etcd-coordination:limits of a handler');
const ALL = Symbol('nestjs-etcd-coordination:limits of a class');

/** Notes the limits of one method, or of a controller as a whole, in the order in which they are asked. */
export function noteHandlerUse(handler: object, use: LimitUse): void {
  Reflect.defineMetadata(OWN, [use, ...handlerUsesOf(handler)], handler);
}

export function handlerUsesOf(handler: object): readonly LimitUse[] {
  return (Reflect.getMetadata(OWN, handler) as LimitUse[] | undefined) ?? [];
}

/**
 * Notes that a class asks for a limit, so that an unknown one is found at the start. One of a controller as a
 * whole takes the place of the same one on a class that it extends.
 */
export function noteLimitUse(type: object, use: LimitUse): void {
  const inherited = limitUsesOf(Object.getPrototypeOf(type) as object);
  const standing = limitUsesOf(type).filter(
    (other) => !(inherited.includes(other) && takesPlaceOf(use, other)),
  );
  Reflect.defineMetadata(ALL, [...standing, use], type);
}

/** The limits that a class, and those that it extends, have asked for. */
export function limitUsesOf(type: object): readonly LimitUse[] {
  return (Reflect.getMetadata(ALL, type) as LimitUse[] | undefined) ?? [];
}

/** Whether Nest calls the method for requests or messages, and asks its guards first. */
export function isHandler(method: object): boolean {
  return Reflect.hasMetadata('path', method) || isMessageHandler(method);
}

/** Whether Nest serves requests, or messages, by objects of the class. */
export function isController(type: object): boolean {
  return Reflect.hasMetadata('__controller__', type);
}

function takesPlaceOf(use: LimitUse, other: LimitUse): boolean {
  const isSame = use.rule === other.rule && use.connection === other.connection;
  return isSame && use.isWhole && other.isWhole;
}
