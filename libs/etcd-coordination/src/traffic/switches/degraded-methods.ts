import 'reflect-metadata';

/** A method that a switch cuts. */
export interface DegradedMethod {
  readonly switch: string;
  readonly connection: string;
  /** Where it stands, such as `Orders.recommend`. */
  readonly place: string;
}

const METHODS = Symbol('nestjs-etcd-coordination:degraded methods');

/** Notes that a method of a class is cut by a switch, which has to be declared then. */
export function noteDegraded(type: object, method: DegradedMethod): void {
  Reflect.defineMetadata(METHODS, [...degradedMethodsOf(type), method], type);
}

/** The methods of a class, and of those it extends, that switches cut. */
export function degradedMethodsOf(type: object): readonly DegradedMethod[] {
  return (Reflect.getMetadata(METHODS, type) as DegradedMethod[] | undefined) ?? [];
}
