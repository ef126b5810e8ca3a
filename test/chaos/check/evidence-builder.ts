import type { Note } from '../history/note.js';
import type { Evidence, TrueEvent } from './evidence.js';

type Given = Partial<Omit<Evidence, 'notesOf'>> & {
  /** By work, in order of time. */
  readonly notes?: Readonly<Record<string, readonly Note[]>>;
};

/** Evidence for the specs of checkers: a run in which nothing happened, but for what is given. */
export function evidence({ notes = {}, ...given }: Given = {}): Evidence {
  return {
    notesOf: <N extends Note>(work: string) => (notes[work] ?? []) as readonly N[],
    ...{ truth: [], finalList: [], ends: new Map(), killed: new Set(), survivors: [] },
    ...{ compactions: [], ttlMs: 2000, healedAt: null },
    ...given,
  };
}

/**
 * A history of etcd's keys, written down the way etcd would tell it: `put` and `delete` each take the next
 * revision, unless they are given one, as the operations of one transaction are.
 */
export class TrueHistory {
  readonly truth: TrueEvent[] = [];
  private readonly keys = new Map<string, TrueEvent>();
  private revision = 1n;

  /** The revision of what was written last. */
  get now(): bigint {
    return this.revision;
  }

  put(key: string, value = '', { revision = this.revision + 1n, lease = '0' } = {}): this {
    const before = this.keys.get(key);
    const createRevision = before?.createRevision ?? revision;
    const version = (before?.version ?? 0) + 1;
    const event: TrueEvent = {
      ...{ type: 'put', key, value, revision, createRevision, version, lease },
      t: Number(revision),
    };
    this.keys.set(key, event);
    return this.add(event);
  }

  delete(key: string, revision = this.revision + 1n): this {
    this.keys.delete(key);
    return this.add({
      ...{ type: 'delete', key, value: '', revision, createRevision: 0n, version: 0, lease: '0' },
      t: Number(revision),
    });
  }

  /** What there is at the end. */
  get finalList(): TrueEvent[] {
    return [...this.keys.values()].map((event) => ({ ...event, t: 0 }));
  }

  private add(event: TrueEvent): this {
    this.revision = event.revision;
    this.truth.push(event);
    return this;
  }
}
