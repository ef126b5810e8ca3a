import { grouped, inTime } from './in-time.js';
import type { OwnershipNote } from './ownership.js';

/** A span in which a grant called itself valid, as far as it is known: it may have been longer. */
export interface Holding {
  readonly token: bigint;
  readonly process: string;
  readonly shared?: true;
  readonly from: number;
  readonly to: number;
}

/** Every grant that said once after its beginning that it was valid, in order of time, of each owned thing. */
export function holdings(notes: readonly OwnershipNote[]): Map<string, Holding[]> {
  const byThing = grouped(notes, (note) => note.of);
  return new Map([...byThing].map(([of, its]) => [of, holdingsOfOne(its)]));
}

export function shown({ token, process }: Pick<Holding, 'token' | 'process'>): string {
  return `Token ${token} of ${process}`;
}

/** One grant of one process. */
export function grantId(note: { readonly process: string; readonly token: string }): string {
  return `${note.process} ${note.token}`;
}

function holdingsOfOne(notes: readonly OwnershipNote[]): Holding[] {
  const open = new Map<
    string,
    { token: string; process: string; shared?: true; from: number; to: number | null }
  >();
  for (const note of inTime(notes)) {
    if (note.type === 'granted') {
      const { token, process, shared, t } = note;
      open.set(grantId(note), { token, process, from: t, to: null, ...(shared && { shared }) });
    }
    const span = saysValid(note) ? open.get(grantId(note)) : undefined;
    if (span) span.to = note.t;
  }
  return [...open.values()]
    .flatMap(({ token, to, ...span }) =>
      to === null ? [] : [{ ...span, token: BigInt(token), to }],
    )
    .sort((a, b) => a.from - b.from);
}

type Valid = OwnershipNote & { readonly type: 'valid' | 'woke' };

/** What was valid after a moment was so before: one that woke up and said so had been, all the while. */
function saysValid(note: OwnershipNote): note is Valid {
  return note.type === 'valid' || (note.type === 'woke' && note.valid);
}
