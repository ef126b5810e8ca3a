import type { Evidence } from './evidence.js';
import { at, grouped } from './in-time.js';
import { harmsOf, unheardMs } from './hindrances.js';
import { listText, trueLists, type TrueList } from './registrations.js';
import { isList, type ListedInstance, type ListNote, type RegistryNote } from './registry-notes.js';
import { ENOUGH } from './subscriptions.js';

/**
 * Every list that a process shows is one that etcd held, in the order in which etcd held them: so it is never empty
 * but when etcd has none, never lacks one that is there, and shows none again that was gone. What is protected is
 * beside that: how few may be after an interruption nobody but the list's own process can tell. Nobody is in it twice.
 */
export function shownListFaults(
  notes: readonly RegistryNote[],
  evidence: Pick<Evidence, 'truth' | 'notesOf'>,
  { service }: { readonly service: string },
): string[] {
  const harms = harmsOf(evidence);
  // It was so no later than it was told, and that may have been late.
  const lists = trueLists(service, evidence.truth).map((one) => ({
    ...one,
    t: one.t - unheardMs(one.t, harms),
  }));
  const byProcess = grouped(notes.filter(isList), ({ process }) => process);
  return [...byProcess.values()].flatMap((its) => untrueLists(its, lists));
}

function untrueLists(notes: readonly ListNote[], lists: readonly TrueList[]): string[] {
  const faults: string[] = [];
  let position = 0;
  let before: string | null = null;
  for (const note of notes) {
    if (faults.length >= ENOUGH) break;
    const twice = moreThanOnce(note.list);
    if (twice.length > 0) faults.push(`${where(note)} showed ${twice.join(', ')} more than once.`);
    const shown = listText(unprotected(note));
    if (shown === before) continue;
    before = shown;
    const found = lists.findIndex(
      ({ list, t }, index) => index >= position && t <= note.t && list === shown,
    );
    if (found < 0) faults.push(`${where(note)} ${whatIsWrong(note, shown, lists, position)}`);
    else position = found;
  }
  return faults;
}

function unprotected({ list }: ListNote): [id: string, createRevision: string][] {
  return list.flatMap(([id, revision, , isProtected]) => (isProtected ? [] : [[id, revision]]));
}

function whatIsWrong(
  { list }: ListNote,
  shown: string,
  lists: readonly TrueList[],
  position: number,
): string {
  const { revision } = lists[position]!;
  const hence = `at any revision from ${revision} on`;
  if (list.length === 0) return `showed no instance at all, and etcd was not without any ${hence}.`;
  const earlier = lists.slice(0, position).findLast((one) => one.list === shown);
  if (earlier) {
    return `went back to what etcd had at revision ${earlier.revision}, after that of ${revision}.`;
  }
  return `showed ${shown || 'none but protected ones'}, and etcd did not hold that ${hence}.`;
}

function moreThanOnce(list: readonly ListedInstance[]): string[] {
  const ids = list.map(([id]) => id);
  return [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];
}

function where({ process, t }: ListNote): string {
  return `The list of ${process} at ${at(t)}`;
}
