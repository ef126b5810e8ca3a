import type { RegisterCall, RegisterNote } from '../register-notes.js';
import { grouped } from '../in-time.js';

/** A call on one register, as the search for an order sees it. */
export interface Operation {
  readonly id: string;
  readonly process: string;
  readonly call: RegisterCall;
  /** What it answered: what a read showed, the sum that an addition made, `true` or `false` of a compare-and-set. */
  readonly result: string | null | undefined;
  readonly invokedAt: number;
  /** Infinite if it is not known to have come to an end: it may take effect at any time from its call on, or never. */
  readonly returnedAt: number;
}

/**
 * The operations of each register. Those that are certain to have changed nothing are left out, and so are reads
 * without an answer. An operation without a return, as of a process that was killed, is ambiguous.
 */
export function operationsOf(notes: readonly RegisterNote[]): Map<string, Operation[]> {
  const returns = new Map(
    notes.flatMap((note) => (note.type === 'returned' ? [[note.operation, note]] : [])),
  );
  const operations = notes.flatMap((note) => {
    if (note.type !== 'invoked') return [];
    const end = returns.get(note.operation);
    if (end?.outcome === 'failed') return [];
    const isKnown = end?.outcome === 'ok';
    if (!isKnown && note.call === 'read') return [];
    const operation: Operation = {
      ...{ id: note.operation, process: note.process, call: note, invokedAt: note.t },
      result: isKnown ? end.result : undefined,
      returnedAt: isKnown ? end.t : Infinity,
    };
    return [{ register: note.register, operation }];
  });
  const byRegister = grouped(operations, ({ register }) => register);
  return new Map([...byRegister].map(([name, its]) => [name, its.map((one) => one.operation)]));
}

export function isAmbiguous({ returnedAt }: Operation): boolean {
  return returnedAt === Infinity;
}

/** Whether there was a moment at which both were under way. */
export function isAtTheSameTime(one: Operation, other: Operation): boolean {
  return one.invokedAt <= other.returnedAt && one.returnedAt >= other.invokedAt;
}
