import type { TrueEvent } from './evidence.js';

/** Key by key the revision at which it was put last; deleted keys are not there. */
export type StateOf = ReadonlyMap<string, bigint>;

/** What really happened under a prefix, to be walked through once, forwards. */
export class TrueWalk {
  private readonly events: readonly TrueEvent[];
  private readonly state = new Map<string, bigint>();
  private position = 0;
  private index: Map<string, TrueEvent> | null = null;

  constructor(truth: readonly TrueEvent[], prefix: string) {
    this.events = truth.filter((event) => event.key.startsWith(prefix));
  }

  /** What stood after the last event that was passed. */
  get current(): StateOf {
    return this.state;
  }

  /** The next event, if there is one. */
  get next(): TrueEvent | undefined {
    return this.events[this.position];
  }

  /** The change of a key at a revision, wherever the walk is. */
  at(revision: bigint, key: string): TrueEvent | undefined {
    this.index ??= new Map(this.events.map((one) => [`${one.revision} ${one.key}`, one]));
    return this.index.get(`${revision} ${key}`);
  }

  /** Passes the events of the next revision. */
  step(): TrueEvent[] {
    const revision = this.next?.revision;
    const passed: TrueEvent[] = [];
    while (this.next && this.next.revision === revision) {
      applyTo(this.state, this.next);
      passed.push(this.next);
      this.position += 1;
    }
    return passed;
  }

  /** Passes all events up to a revision, itself included, and gives them. */
  passUpTo(revision: bigint): TrueEvent[] {
    const passed: TrueEvent[] = [];
    while (this.next && this.next.revision <= revision) passed.push(...this.step());
    return passed;
  }
}

export function applyTo(
  state: Map<string, bigint>,
  { type, key, revision }: Pick<TrueEvent, 'type' | 'key' | 'revision'>,
): void {
  if (type === 'put') state.set(key, revision);
  else state.delete(key);
}

/** What is there in the one and not, or otherwise, in the other, in words; null if they are the same. */
export function differenceOf(shown: StateOf, real: StateOf): string | null {
  for (const [key, revision] of shown) {
    const other = real.get(key);
    if (other === undefined) return `it has ${key} of revision ${revision}, which is not there`;
    if (other !== revision) return `it has ${key} of revision ${revision}, not of ${other}`;
  }
  for (const [key, revision] of real) {
    if (!shown.has(key)) return `it lacks ${key} of revision ${revision}`;
  }
  return null;
}
