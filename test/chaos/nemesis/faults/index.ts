import type { ChaosCluster } from '../chaos-cluster.js';
import type { Fault } from '../fault.js';
import * as access from './access-faults.js';
import * as clock from './clock-faults.js';
import * as combined from './combined-faults.js';
import * as member from './member-faults.js';
import * as network from './network-faults.js';
import * as processes from './process-faults.js';
import * as store from './store-faults.js';

/** Every kind of fault that there is. */
export const FAULTS: readonly Fault[] = [processes, clock, network, access, member, store, combined]
  .flatMap((family): readonly unknown[] => Object.values(family))
  .filter((part): part is Fault => typeof part === 'object' && part !== null && 'inflict' in part);

/** Those that a cluster can have, or of them those that are named. Throws if one of these is no fault's kind. */
export function faultsFor({ has }: Pick<ChaosCluster, 'has'>, kinds?: readonly string[]): Fault[] {
  const unknown = kinds?.filter((kind) => FAULTS.every((fault) => fault.kind !== kind)) ?? [];
  if (unknown.length > 0) {
    const known = FAULTS.map(({ kind }) => kind).join(', ');
    throw new Error(`There is no fault "${unknown.join('", "')}"; there are: ${known}.`);
  }
  return FAULTS.filter(
    ({ kind, needs = [] }) =>
      needs.every((need) => has.has(need)) && (kinds?.includes(kind) ?? true),
  );
}
