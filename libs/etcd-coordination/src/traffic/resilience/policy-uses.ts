import 'reflect-metadata';

/** A method that runs under a policy of a connection. */
export interface PolicyUse {
  readonly policy: string;
  readonly connection: string;
  /** Who, such as "Orders.place". */
  readonly place: string;
}

const USES = Symbol('nestjs-etcd-coordination:uses of policies');

/** Notes that a method of a class runs under a policy, so that an unknown one is found at the start. */
export function notePolicyUse(type: object, use: PolicyUse): void {
  Reflect.defineMetadata(USES, [...policyUsesOf(type), use], type);
}

/** The policies that a class, and those that it extends, have asked for. */
export function policyUsesOf(type: object): readonly PolicyUse[] {
  return (Reflect.getMetadata(USES, type) as PolicyUse[] | undefined) ?? [];
}
