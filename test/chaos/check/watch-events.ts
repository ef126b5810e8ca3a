import type { Evidence } from './evidence.js';
import { larger } from './revisions.js';
import { namelessSubscriptions, subscriptionsOf } from './subscriptions.js';
import { ToldSoFar } from './told-so-far.js';
import { TrueWalk } from './true-states.js';
import type { WatchNote } from './watch-notes.js';

/**
 * What etcd promises of its watches, of each subscription against what really happened: ordered, unique, reliable
 * (nothing between where it stood and what it was told last is missing), atomic (the events of a revision in one
 * `told`), and resumable: all of it across whatever happened. Events of a `resync` are allowed only where history
 * was compacted past what the subscription had been told, and must be the net difference. A subscription is judged
 * up to its last note, so one of a process that was killed is too.
 *
 * What was told before the watch stood may have begun anywhere, but must have happened.
 */
export function watchFaults(
  notes: readonly WatchNote[],
  { truth, compactions }: Pick<Evidence, 'truth' | 'compactions'>,
): string[] {
  return [
    ...namelessSubscriptions(notes),
    ...subscriptionsOf(notes).flatMap((subscription) =>
      new ToldSoFar(subscription, new TrueWalk(truth, subscription.prefix), compactions).judge(),
    ),
  ];
}

/**
 * What surviving subscriptions have yet to be told: the newest event that there is under their prefix. Asked while
 * keys are still written it is the writers that must pause, or the answer is hardly ever empty.
 */
export function awaitedEvents(
  notes: readonly WatchNote[],
  { truth, survivors }: Pick<Evidence, 'truth' | 'survivors'>,
): string[] {
  return subscriptionsOf(notes).flatMap(({ id, process, prefix, notes: its }) => {
    if (!survivors.includes(process) || its.some(({ type }) => type === 'ended')) return [];
    const newest = truth.findLast(({ key }) => key.startsWith(prefix));
    if (!newest) return [];
    let told = 0n;
    for (const note of its) {
      if (note.type === 'stood') told = larger(told, BigInt(note.revision));
      if (note.type === 'showed') return [];
      for (const event of note.type === 'told' ? note.events : []) {
        told = larger(told, BigInt(event[2]));
      }
    }
    if (told >= newest.revision) return [];
    return [
      `Watch ${id} on ${prefix} was told up to revision ${told}, and the newest is ${newest.revision}.`,
    ];
  });
}
