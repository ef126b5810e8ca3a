import { at, grouped } from './in-time.js';
import {
  CALL_ATTEMPTS,
  isList,
  isLook,
  type ListNote,
  type RegistryNote,
  RUNS_MS,
} from './registry-notes.js';

type Failed = RegistryNote & { readonly type: 'failed' };

/**
 * No call fails while there is an instance that could have answered it: one that the caller had listed as up from
 * its beginning to its end, of a process that ran all the while, as the caller's did. As each instance is tried before
 * any is tried again, and there are more attempts than instances were listed, that one was asked; it would have
 * answered in time. What etcd did meanwhile does not matter.
 */
export function callFaults(notes: readonly RegistryNote[]): string[] {
  const processes = new Map(
    [...grouped(notes, ({ process }) => process)].map(([id, its]) => [id, new ProcessNotes(its)]),
  );
  return [...processes].flatMap(([caller, its]) =>
    its.failures().flatMap(({ from, failed }) => {
      const { t: to, call, code, message } = failed;
      if (!its.ranAllThrough(from, to)) return [];
      const able = its
        .upAllThrough(from, to)
        .find((id) => processes.get(id)?.ranAllThrough(from, to));
      if (able === undefined) return [];
      return [
        `Call ${call} of ${caller}, from ${at(from)} to ${at(to)}, failed with ${code} (${message}), and ${able} was listed as up and ran all the while.`,
      ];
    }),
  );
}

/** What one process noted, in its order. */
class ProcessNotes {
  private readonly lists: readonly ListNote[];

  constructor(private readonly notes: readonly RegistryNote[]) {
    this.lists = notes.filter(isList);
  }

  failures(): { readonly from: number; readonly failed: Failed }[] {
    const beganAt = new Map(
      this.notes.flatMap((note) => (note.type === 'calling' ? [[note.call, note.t]] : [])),
    );
    return this.notes.flatMap((note) =>
      note.type === 'failed' ? [{ from: beganAt.get(note.call)!, failed: note }] : [],
    );
  }

  /** Whether it is certain to have run, and not to have stood still in between for long. */
  ranAllThrough(from: number, to: number): boolean {
    const looks = this.notes.filter(isLook);
    const first = looks.findLastIndex(({ t }) => t <= from);
    const last = looks.findIndex(({ t }) => t >= to);
    if (first < 0 || last < 0) return false;
    return looks.slice(first + 1, last + 1).every(({ heldUpMs }) => heldUpMs <= RUNS_MS);
  }

  /** Whom it had listed as up without a break; nobody if a call may have run out of attempts before it came to all. */
  upAllThrough(from: number, to: number): string[] {
    const before = this.lists.findLastIndex(({ t }) => t <= from);
    if (before < 0) return [];
    const lists = this.lists
      .slice(before)
      .filter(({ t }, index) => index === 0 || t <= to)
      .map(upIn);
    const ever = new Set(lists.flatMap(({ all }) => all));
    if (ever.size > CALL_ATTEMPTS) return [];
    return lists[0]!.certain.filter((id) => lists.every(({ certain }) => certain.includes(id)));
  }
}

function upIn({ list }: ListNote): { readonly all: string[]; readonly certain: string[] } {
  const up = list.filter(([, , state]) => state === 'up');
  return {
    all: up.map(([id]) => id),
    certain: up.filter(([, , , isProtected]) => !isProtected).map(([id]) => id),
  };
}
