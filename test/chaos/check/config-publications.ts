import type { ConfigNote } from './config-notes.js';
import type { TrueEvent } from './evidence.js';
import { grouped } from './in-time.js';

type Attempt = ConfigNote & { readonly type: 'publishing' };
type Answer = ConfigNote & { readonly type: 'published' };

/** An attempt to publish, what was said of it, and what became of it in etcd. */
export interface Publication {
  readonly attempt: Attempt;
  readonly answer: Answer | undefined;
  /** Its write; null if etcd has none of it. */
  readonly written: {
    readonly revision: bigint;
    /** It was there by this moment at the latest. */
    readonly by: number;
  } | null;
}

/**
 * All that was tried, in order. Whether it was written etcd itself says, also of what was answered by nobody: each
 * write of a value is that of one attempt, of an accepted one the one at its revision.
 */
export function publicationsOf(
  config: string,
  notes: readonly ConfigNote[],
  truth: readonly TrueEvent[],
): Publication[] {
  const answers = new Map(
    notes.flatMap((note) => (note.type === 'published' ? [[note.attempt, note]] : [])),
  );
  const writes = writesOf(config, truth);
  const attempts = notes.filter((note): note is Attempt => note.type === 'publishing');
  const accepted = new Map<Attempt, TrueEvent | undefined>();
  for (const attempt of attempts) {
    const answer = answers.get(attempt.attempt);
    if (answer?.outcome !== 'accepted') continue;
    accepted.set(
      attempt,
      takeOut(writes, attempt, ({ revision }) => `${revision}` === answer.revision),
    );
  }
  return attempts.map((attempt) => {
    const answer = answers.get(attempt.attempt);
    const write = accepted.has(attempt)
      ? accepted.get(attempt)
      : takeOut(writes, attempt, ({ t }) => t >= attempt.t);
    const by = answer?.outcome === 'accepted' ? answer.t : (write?.t ?? 0);
    return { attempt, answer, written: write ? { revision: write.revision, by } : null };
  });
}

/** By value. */
function writesOf(config: string, truth: readonly TrueEvent[]): Map<string, TrueEvent[]> {
  const live = `config/${config}/live/`;
  const puts = truth.filter(({ type, key }) => type === 'put' && key.startsWith(live));
  return grouped(puts, ({ value }) => value);
}

function takeOut(
  writes: ReadonlyMap<string, TrueEvent[]>,
  { value }: Attempt,
  likes: (write: TrueEvent) => boolean,
): TrueEvent | undefined {
  const its = writes.get(value) ?? [];
  const at = its.findIndex(likes);
  return at < 0 ? undefined : its.splice(at, 1)[0];
}
