import type { Evidence } from './evidence.js';
import { grouped } from './in-time.js';
import { staysOf, type Stay } from './registrations.js';
import { isLook, type ListedInstance, type LookNote, type RegistryNote } from './registry-notes.js';

/**
 * What the registry has yet to come to after the healing, as whole sentences: each process is registered, in etcd
 * under a lease of its own, and in everybody's list exactly once, as up; and nobody else is, but for those who are
 * marked as protected.
 */
export function awaitedInstances(
  notes: readonly RegistryNote[],
  { truth, survivors }: Pick<Evidence, 'truth' | 'survivors'>,
  { service, healedAt }: { readonly service: string; readonly healedAt: number },
): string[] {
  const looks = grouped(
    notes.filter(isLook).filter(({ t }) => t > healedAt),
    ({ process }) => process,
  );
  const there = staysOf(service, truth).filter(({ goneAt }) => goneAt === Infinity);
  return [
    ...inEtcd(there, survivors),
    ...survivors.flatMap((process) => {
      const look = looks.get(process)?.at(-1);
      if (!look) return [`Process ${process} has not looked at its list since the healing.`];
      return inList(look, survivors);
    }),
  ];
}

function inEtcd(there: readonly Stay[], survivors: readonly string[]): string[] {
  const ids = there.map(({ id }) => id);
  const leases = new Set(there.flatMap((stay) => stay.leases.slice(-1)));
  return [
    ...survivors.flatMap((id) => (ids.includes(id) ? [] : [`etcd has no instance ${id}.`])),
    ...ids.flatMap((id) => (survivors.includes(id) ? [] : [`etcd has ${id}, which is dead.`])),
    ...(leases.size === there.length && !leases.has('0')
      ? []
      : ['Not each instance in etcd is on a lease of its own.']),
  ];
}

function inList({ process, list, registered }: LookNote, survivors: readonly string[]): string[] {
  const whose = `The list of ${process}`;
  return [
    ...(registered ? [] : [`Process ${process} does not call itself registered.`]),
    ...survivors.flatMap((id) => {
      const times = list.filter((one) => one[0] === id && isUp(one)).length;
      return times === 1 ? [] : [`${whose} has ${id} ${times} times as up.`];
    }),
    ...list.flatMap(([id, , , isProtected]) =>
      survivors.includes(id) || isProtected ? [] : [`${whose} has ${id}, which is dead.`],
    ),
  ];
}

function isUp([, , state, isProtected]: ListedInstance): boolean {
  return state === 'up' && !isProtected;
}
