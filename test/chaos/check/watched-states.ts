import type { Evidence, TrueEvent } from './evidence.js';
import { at, grouped } from './in-time.js';
import { ENOUGH, subscriptionsOf, type Subscription } from './subscriptions.js';
import { differenceOf, TrueWalk } from './true-states.js';
import type { WatchNote } from './watch-notes.js';

type Showed = WatchNote & { readonly type: 'showed' };

/**
 * A watched state that calls itself synced shows what etcd held at the state's revision, key by key, and never goes
 * back. A state that lags behind the newest that it was told is judged by the revision that it names.
 */
export function stateFaults(
  notes: readonly WatchNote[],
  { truth }: Pick<Evidence, 'truth'>,
): string[] {
  return subscriptionsOf(notes).flatMap((subscription) => faultsOf(subscription, truth));
}

/** What the states of surviving processes have yet to show: the newest event under their prefix. */
export function awaitedStates(
  notes: readonly WatchNote[],
  { truth, survivors }: Pick<Evidence, 'truth' | 'survivors'>,
): string[] {
  return subscriptionsOf(notes).flatMap((subscription) => {
    const { id, process, prefix } = subscription;
    const last = shows(subscription).at(-1);
    if (!last || !survivors.includes(process)) return [];
    const newest = truth.findLast(({ key }) => key.startsWith(prefix))?.revision ?? 0n;
    if (last.synced && BigInt(last.revision) >= newest) return [];
    const showed = last.synced ? `showed revision ${last.revision}` : 'was not synced';
    return [
      `State ${id} of ${prefix} ${showed} when it was last looked at, and the newest is ${newest}.`,
    ];
  });
}

/**
 * The last that each surviving process's states showed, of prefixes that nobody wrote to since, against the list
 * that was read at the end.
 */
export function finalStateFaults(
  notes: readonly WatchNote[],
  { truth, finalList, survivors }: Pick<Evidence, 'truth' | 'finalList' | 'survivors'>,
): string[] {
  const byProcess = grouped(subscriptionsOf(notes), ({ process }) => process);
  return survivors.flatMap((process) =>
    (byProcess.get(process) ?? []).flatMap((subscription) => {
      const { id, prefix } = subscription;
      const last = shows(subscription).at(-1);
      const isUnder = ({ key }: TrueEvent) => key.startsWith(prefix);
      const newest = truth.findLast(isUnder)?.revision ?? 0n;
      // What was written after its last look cannot be in it.
      if (!last?.synced || BigInt(last.revision) < newest) return [];
      const final = new Map(finalList.filter(isUnder).map(({ key, revision }) => [key, revision]));
      const wrong = differenceOf(keysOf(last), final);
      return wrong ? [`State ${id} of ${prefix} is not the final list: ${wrong}.`] : [];
    }),
  );
}

function faultsOf(subscription: Subscription, truth: readonly TrueEvent[]): string[] {
  const { id, prefix } = subscription;
  const walk = new TrueWalk(truth, prefix);
  const faults: string[] = [];
  let before = 0n;
  for (const note of shows(subscription)) {
    if (faults.length >= ENOUGH) break;
    if (!note.synced) continue;
    const revision = BigInt(note.revision);
    const where = `State ${id} of ${prefix} at ${at(note.t)}`;
    if (revision < before) {
      faults.push(`${where} went back from revision ${before} to ${revision}.`);
      continue;
    }
    before = revision;
    walk.passUpTo(revision);
    const wrong = differenceOf(keysOf(note), walk.current);
    if (wrong) faults.push(`${where} says that it is as of revision ${revision}, and ${wrong}.`);
  }
  return faults;
}

function shows({ notes }: Subscription): Showed[] {
  return notes.filter((note): note is Showed => note.type === 'showed');
}

function keysOf({ keys }: Showed): Map<string, bigint> {
  return new Map(keys.map(([key, revision]) => [key, BigInt(revision)]));
}
