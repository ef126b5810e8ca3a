import { grouped } from './in-time.js';
import type { ToldEvent, WatchNote } from './watch-notes.js';

/** After so many violations of one subscription the others say nothing new. */
export const ENOUGH = 5;

/** What one subscription noted, in its order. */
export interface Subscription {
  readonly id: string;
  readonly process: string;
  readonly prefix: string;
  /** The revision from which on the history was asked for. */
  readonly from: bigint | null;
  readonly notes: readonly WatchNote[];
}

/** The subscriptions of all processes. */
export function subscriptionsOf(notes: readonly WatchNote[]): Subscription[] {
  return [...grouped(notes, (note) => note.watch)].flatMap(([id, its]) => {
    const first = its[0]!;
    if (first.type !== 'subscribed') return [];
    const from = first.from === undefined ? null : BigInt(first.from);
    return [{ id, process: first.process, prefix: first.prefix, from, notes: its }];
  });
}

/** A subscription that begins with anything but `subscribed` cannot be judged: nobody knows what it was of. */
export function namelessSubscriptions(notes: readonly WatchNote[]): string[] {
  return [...grouped(notes, (note) => note.watch)].flatMap(([id, its]) =>
    its[0]!.type === 'subscribed'
      ? []
      : [`Watch ${id} noted ${its[0]!.type} before it subscribed.`],
  );
}

/** An event as it was told, read back. */
export interface Told {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly revision: bigint;
  readonly value: string;
  readonly resync: boolean;
}

export function readTold([type, key, revision, value, resync]: ToldEvent): Told {
  return { type, key, revision: BigInt(revision), value, resync };
}
