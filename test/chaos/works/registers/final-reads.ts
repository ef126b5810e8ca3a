import type { Evidence } from '../../check/evidence.js';
import type { RegisterNote } from '../../check/register-notes.js';

/**
 * What the list at the end shows of each register and counter, as reads after everything else: what was answered
 * must explain that too, or the last of it was lost. None before there is a list.
 */
export function finalReads(
  notes: readonly RegisterNote[],
  { finalList }: Pick<Evidence, 'finalList'>,
): RegisterNote[] {
  if (finalList.length === 0) return [];
  const values = new Map(finalList.map(({ key, value }) => [key, value]));
  const last = notes.reduce((latest, { t }) => Math.max(latest, t), 0);
  return [...new Set(notes.flatMap((note) => ('register' in note ? [note.register] : [])))].flatMap(
    (register): RegisterNote[] => {
      const read = { process: 'run', work: 'registers', operation: `run/${register}`, register };
      return [
        { ...read, t: last + 1, type: 'invoked', call: 'read' },
        {
          ...{ ...read, t: last + 2, type: 'returned', outcome: 'ok' },
          result: values.get(register) ?? null,
        },
      ];
    },
  );
}
