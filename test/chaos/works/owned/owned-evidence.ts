import type { Evidence, Figures, Verdicts } from '../../check/evidence.js';
import {
  type AcceptedWrite,
  acceptedWrites,
  writeFaults,
  type WritesAfterwards,
} from '../../check/guarded-writes.js';
import { lossFaults } from '../../check/losses.js';
import { excusedOverlaps, overlaps } from '../../check/one-owner.js';
import type { OwnershipNote } from '../../check/ownership.js';
import { takeOvers, takeOverSamples } from '../../check/take-overs.js';
import { tokenFaults } from '../../check/tokens.js';
import { type EndedByEtcd, keysOfWokenLeaders } from '../../check/woken-leaders.js';
import type { LifeNote, NemesisNote } from '../../history/note.js';
import { tally } from '../figures.js';

/** What is owned in a work, and how. */
export interface Owning extends WritesAfterwards {
  /** Such as `lock/hot`. */
  readonly things: readonly string[];
}

/** What a work of owners has left: its notes, and the guarded writes that etcd took of it. */
export class OwnedEvidence {
  readonly notes: readonly OwnershipNote[];
  readonly accepted: readonly AcceptedWrite[];
  private readonly byEtcd: EndedByEtcd;
  readonly truth: Evidence['truth'];

  constructor(
    evidence: Evidence,
    work: string,
    private readonly owning: Owning,
  ) {
    this.notes = evidence.notesOf<OwnershipNote>(work);
    this.accepted = acceptedWrites(evidence).filter(({ of }) => owning.things.includes(of));
    this.truth = evidence.truth;
    this.byEtcd = { ended: keysOfWokenLeaders(evidence), ttlMs: evidence.ttlMs };
  }

  verdicts(): Verdicts {
    return {
      'one-owner': overlaps(this.notes, this.byEtcd, this.owning.permits),
      tokens: tokenFaults(this.notes, this.byEtcd, this.owning.permits),
      fencing: writeFaults(this.notes, this.accepted, this, this.owning),
      loss: lossFaults(this.notes),
    };
  }

  count(type: OwnershipNote['type']): number {
    return this.notes.filter((note) => note.type === type).length;
  }

  /** Writes that were sent by those who had just woken up, or had lost, and were refused. */
  lateRefused(guard: string): number {
    const late = new Set(
      this.notes.flatMap((note) =>
        note.type === 'sent' && note.late && note.guard === guard ? [note.write] : [],
      ),
    );
    return this.notes.filter(
      (note) => note.type === 'answered' && note.outcome === 'refused' && late.has(note.write),
    ).length;
  }

  figures(evidence: Evidence): Figures {
    const { notes } = this;
    const alone =
      !notes.some((note) => note.type === 'granted' && note.shared) &&
      (this.owning.permits ?? 1) === 1;
    const nemesis = evidence.notesOf<NemesisNote>('nemesis');
    const life = evidence.notesOf<LifeNote>('life');
    const answers = (outcome: string) =>
      notes.filter((note) => note.type === 'answered' && note.outcome === outcome).length;
    return {
      counts: {
        'guarded writes that etcd took': this.accepted.length,
        'late writes refused': this.lateRefused('raw') + this.lateRefused('fenced'),
        'overlaps as etcd ended a lease early': excusedOverlaps(
          this.notes,
          this.byEtcd,
          this.owning.permits,
        ),
        'freezes that were woken from': this.count('woke'),
        ...tally('granted', notes, (note) => (note.type === 'granted' ? note.how : null)),
        ...tally('lost', notes, (note) => (note.type === 'lost' ? note.reason : null)),
        ...tally('without', notes, (note) => (note.type === 'without' ? note.code : null)),
      },
      operations: {
        ok: answers('accepted'),
        failed: answers('refused'),
        ambiguous: answers('unknown'),
      },
      // Where several own one thing at a time nobody takes it over from anybody.
      ...(alone && { samples: takeOverSamples(takeOvers(notes, nemesis, life)) }),
    };
  }
}
