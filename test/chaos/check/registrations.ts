import {
  parseRegistryRest,
  registryPrefix,
} from '../../../libs/etcd-coordination/src/client/keys.js';
import type { TrueEvent } from './evidence.js';

/** One stay of an instance's record in etcd, from its creation to its deletion. */
export interface Stay {
  readonly id: string;
  readonly createRevision: bigint;
  readonly createdAt: number;
  /** The leases that it stood on, one after the other. */
  readonly leases: readonly string[];
  /** When the raw watch told that it was gone; Infinity if it is there at the end. */
  readonly goneAt: number;
}

/** What etcd held of a service after some revision: who was registered, in the order of ids, as one text. */
export interface TrueList {
  readonly revision: bigint;
  readonly list: string;
  /** When the raw watch told it. */
  readonly t: number;
}

/** The changes of instances' records of a service, by whose they are. */
export function recordsOf(
  service: string,
  truth: readonly TrueEvent[],
): { readonly id: string; readonly event: TrueEvent }[] {
  // The keys of the truth are without the namespace.
  const prefix = registryPrefix('', service).slice(1);
  return truth.flatMap((event) => {
    if (!event.key.startsWith(prefix)) return [];
    const key = parseRegistryRest(event.key.slice(prefix.length));
    return key?.kind === 'instance' ? [{ id: key.instanceId, event }] : [];
  });
}

/** All stays of all instances, in the order in which they began. */
export function staysOf(service: string, truth: readonly TrueEvent[]): Stay[] {
  const stays: (Stay & { leases: string[]; goneAt: number })[] = [];
  const present = new Map<string, (typeof stays)[number]>();
  for (const { id, event } of recordsOf(service, truth)) {
    const stay = present.get(id);
    if (event.type === 'delete') {
      if (stay) stay.goneAt = event.t;
      present.delete(id);
    } else if (stay) {
      if (stay.leases.at(-1) !== event.lease) stay.leases.push(event.lease);
    } else {
      const { createRevision, t: createdAt, lease } = event;
      const begun = { id, createRevision, createdAt, leases: [lease], goneAt: Infinity };
      stays.push(begun);
      present.set(id, begun);
    }
  }
  return stays;
}

/** Every list that etcd ever held, in order, the empty one of the beginning first. */
export function trueLists(service: string, truth: readonly TrueEvent[]): TrueList[] {
  const lists: TrueList[] = [{ revision: 0n, list: '', t: 0 }];
  const present = new Map<string, string>();
  for (const { id, event } of recordsOf(service, truth)) {
    const { type, revision, createRevision, t } = event;
    if (type === 'put') present.set(id, `${createRevision}`);
    else present.delete(id);
    // What one revision changes is changed at once.
    if (lists.at(-1)!.revision === revision) lists.pop();
    lists.push({ revision, list: listText(present), t });
  }
  return lists;
}

/** A list as one text: `id@create revision`, in the order of ids. */
export function listText(list: Iterable<readonly [id: string, createRevision: string]>): string {
  return Array.from(list, ([id, createRevision]) => `${id}@${createRevision}`)
    .sort()
    .join(' ');
}
