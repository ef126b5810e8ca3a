import type { Compaction, Evidence, TrueEvent } from '../check/evidence.js';
import { inTime } from '../check/in-time.js';
import type { Note } from '../history/note.js';
import type { Stage } from './stage.js';

interface Sorted {
  readonly length: number;
  readonly notes: readonly Note[];
}

/** What is known of a run that goes on. */
export class RunEvidence implements Evidence {
  healedAt: number | null = null;
  survivors: readonly string[] = [];
  finalList: readonly TrueEvent[] = [];
  private readonly sorted = new Map<string, Sorted>();

  constructor(private readonly stage: Pick<Stage, 'fleet' | 'truth' | 'compactions' | 'ttlMs'>) {}

  get truth(): readonly TrueEvent[] {
    return this.stage.truth.events;
  }

  get ends(): ReadonlyMap<string, number | null> {
    return this.stage.fleet.ends;
  }

  get killed(): ReadonlySet<string> {
    return this.stage.fleet.killed;
  }

  get compactions(): readonly Compaction[] {
    return this.stage.compactions;
  }

  get ttlMs(): number {
    return this.stage.ttlMs;
  }

  /** Sorted anew only when more has been read: rules ask over and over. */
  readonly notesOf = <N extends Note = Note>(work: string): readonly N[] => {
    const read = this.stage.fleet.notesOf(work);
    let sorted = this.sorted.get(work);
    if (sorted?.length !== read.length) {
      sorted = { length: read.length, notes: inTime(read) };
      this.sorted.set(work, sorted);
    }
    return sorted.notes as readonly N[];
  };
}
