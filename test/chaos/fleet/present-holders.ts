import type { Note } from '../history/note.js';
import type { Holder } from '../works/work.js';

interface Grant extends Holder {
  seenValid: boolean;
}

/**
 * Who owns what, from the notes of those who own it, whatever the work: granted, seen valid since, and neither
 * lost nor on its way back. Kept up with each note, so that nobody has to go through the history to find out.
 */
export class PresentHolders {
  /** Every kind of thing that was ever owned, such as `lock`. */
  readonly kinds = new Set<string>();
  private readonly grants = new Map<string, Grant>();

  take(note: Note): void {
    const { process, type } = note;
    const { of, token } = note as Partial<Holder>;
    if (of === undefined || token === undefined) return;
    const id = `${process} ${of} ${token}`;
    if (type === 'granted') {
      this.kinds.add(kindOf(of));
      this.grants.set(id, { process, of, token, seenValid: false });
    }
    if (type === 'released' || type === 'lost') this.grants.delete(id);
    else if (type === 'valid') {
      const grant = this.grants.get(id);
      if (grant) grant.seenValid = true;
    }
  }

  /** A process that has ended owns nothing any more. */
  forget(process: string): void {
    for (const [id, grant] of this.grants) if (grant.process === process) this.grants.delete(id);
  }

  /** Of each thing that is owned the holder with the newest token: an older one may not know yet that it lost. */
  newest(): Holder[] {
    const newest = new Map<string, Grant>();
    for (const grant of this.grants.values()) {
      const known = newest.get(grant.of);
      if (!known || BigInt(grant.token) > BigInt(known.token)) newest.set(grant.of, grant);
    }
    return [...newest.values()].filter((grant) => grant.seenValid);
  }

  has({ process, of, token }: Holder): boolean {
    return this.grants.get(`${process} ${of} ${token}`)?.seenValid ?? false;
  }
}

/** `lock` of `lock/hot`. */
export function kindOf(of: string): string {
  return of.slice(0, of.indexOf('/'));
}
