import type { IKeyValue } from 'etcd3';
import type { TrueEvent } from '../check/evidence.js';

/** Under it the run leaves marks of its own, which are no part of the truth. */
export const MARKS = 'run-mark/';

/** A key as etcd has it, as evidence has it. */
export function trueEvent(
  type: TrueEvent['type'],
  kv: IKeyValue,
  namespace: string,
  t: number,
): TrueEvent {
  return {
    ...{ type, t, key: kv.key.toString('utf8', namespace.length + 1) },
    value: kv.value.toString(),
    revision: BigInt(kv.mod_revision),
    createRevision: BigInt(kv.create_revision),
    version: Number(kv.version),
    lease: kv.lease,
  };
}
