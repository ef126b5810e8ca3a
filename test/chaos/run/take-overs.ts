import type { Evidence } from '../check/evidence.js';
import type { OwnershipNote } from '../check/ownership.js';
import { inTime } from '../check/in-time.js';
import type { NemesisNote } from '../history/note.js';

interface Standing {
  readonly process: string;
  readonly of: string;
  readonly token: bigint;
}

type Begun = NemesisNote & { readonly type: 'fault-begun' };

/**
 * Milliseconds from the beginning of a fault upon an owner until another process owned the same thing, by the
 * fault's kind. Faults that hit nobody, or after which nobody took over before the end, give none.
 */
export function takeOvers(
  evidence: Pick<Evidence, 'notesOf'>,
  works: readonly string[],
): Record<string, readonly number[]> {
  const nemesis = evidence.notesOf<NemesisNote>('nemesis');
  const hit = new Set(nemesis.flatMap((n) => (n.type === 'fault-over' && n.hit ? [n.fault] : [])));
  const begun = nemesis.filter((n): n is Begun => n.type === 'fault-begun' && hit.has(n.fault));
  const owners = works.flatMap((work) => evidence.notesOf<OwnershipNote>(work).filter(isOwners));

  const times: Record<string, number[]> = {};
  const standing = new Map<string, Standing>();
  let waiting: (Standing & { readonly kind: string; readonly since: number })[] = [];
  for (const note of inTime<Begun | OwnershipNote>([...begun, ...owners])) {
    if (note.type === 'fault-begun') {
      const struck = [...standing.values()].filter(({ process }) => note.targets.includes(process));
      waiting.push(...struck.map((owner) => ({ ...owner, kind: note.kind, since: note.t })));
    } else if (note.type === 'granted') {
      const { process, of, t } = note;
      const token = BigInt(note.token);
      const isNext = (owner: Standing) =>
        owner.of === of && owner.process !== process && owner.token < token;
      for (const { kind, since } of waiting.filter(isNext)) (times[kind] ??= []).push(t - since);
      waiting = waiting.filter((owner) => !isNext(owner));
      standing.set(of, { process, of, token });
    } else if (
      (note.type === 'released' || note.type === 'lost') &&
      standing.get(note.of)?.token === BigInt(note.token)
    ) {
      standing.delete(note.of);
    }
  }
  return times;
}

function isOwners(note: OwnershipNote): boolean {
  return note.type === 'granted' || note.type === 'released' || note.type === 'lost';
}
