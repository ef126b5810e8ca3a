import { awaitedOwners } from '../../check/awaited-owners.js';
import type { OwnershipNote } from '../../check/ownership.js';
import { least } from '../figures.js';
import { eachGrantMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { OwnedEvidence, type Owning } from './owned-evidence.js';

/** What a work must have seen a minute, by its name for people. */
interface Minimum {
  readonly what: string;
  readonly aMinute: number;
}

/** A work in which things are owned through the library, and written under; plain etcd3 has nothing like it. */
export function ownedWork(
  name: string,
  owning: Owning,
  ours: URL,
  minima: { readonly grants: Minimum; readonly writes: Minimum },
): ChaosWork {
  return {
    name,
    parts: { ours },

    check: (evidence) => new OwnedEvidence(evidence, name, owning).verdicts(),

    inconclusive(evidence, minutes) {
      const owned = new OwnedEvidence(evidence, name, owning);
      const { grants, writes } = minima;
      return [
        ...least(grants.what, owned.count('granted'), grants.aMinute, minutes),
        ...least(writes.what, owned.accepted.length, writes.aMinute, minutes),
      ];
    },

    awaited: (evidence, healedAt) =>
      awaitedOwners(evidence.notesOf<OwnershipNote>(name), {
        ...{ healedAt, things: owning.things, processes: [] },
      }),

    recoveryBoundMs: eachGrantMs,

    figures: (evidence) => new OwnedEvidence(evidence, name, owning).figures(evidence),
  };
}
