import type { TrueEvent } from '../../check/evidence.js';
import type { ObserverNote } from './notes.js';

/**
 * No observer names a leader that never was, or goes back to an earlier one. Who led when is what etcd's keys say:
 * of the candidates' keys the one with the lowest create revision leads.
 */
export function observerFaults(
  notes: readonly ObserverNote[],
  truth: readonly TrueEvent[],
): string[] {
  const everLed = leadersOf(truth);
  const newest = new Map<string, bigint>();
  return notes.flatMap(({ process, of, leader, token, t }) => {
    if (leader === null || token === '') return [];
    const observer = `${process} ${of}`;
    const epoch = BigInt(token);
    const before = newest.get(observer) ?? 0n;
    newest.set(observer, epoch > before ? epoch : before);
    const where = `The observer of ${of} in ${process}, at ${t.toFixed(3)},`;
    if (!everLed.has(`${of} ${token}`)) {
      return [`${where} named ${leader} of epoch ${token}, which never led.`];
    }
    if (epoch >= before) return [];
    return [`${where} went back from epoch ${before} to ${token}.`];
  });
}

/** Every `<of> <create revision>` that was first among the keys of its election after some revision. */
function leadersOf(truth: readonly TrueEvent[]): Set<string> {
  const everLed = new Set<string>();
  const candidates = new Map<string, Map<string, bigint>>();
  const changed = new Set<string>();
  let revision = 0n;
  const settle = () => {
    for (const of of changed) {
      const first = lowest(candidates.get(of)!.values());
      if (first !== null) everLed.add(`${of} ${first}`);
    }
    changed.clear();
  };
  for (const event of truth) {
    if (!event.key.startsWith('election/')) continue;
    if (event.revision !== revision) settle();
    revision = event.revision;
    const of = event.key.split('/', 2).join('/');
    const keys = candidates.get(of) ?? new Map<string, bigint>();
    candidates.set(of, keys);
    if (event.type === 'put') keys.set(event.key, event.createRevision);
    else keys.delete(event.key);
    changed.add(of);
  }
  settle();
  return everLed;
}

function lowest(revisions: Iterable<bigint>): bigint | null {
  let least: bigint | null = null;
  for (const revision of revisions) if (least === null || revision < least) least = revision;
  return least;
}
