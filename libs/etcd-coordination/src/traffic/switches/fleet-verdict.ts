/** How the votes of a fleet stand. */
export interface VoteCount {
  /** Instances that have a vote. */
  readonly instances: number;
  /** Those that have cut themselves, or are not well again yet. */
  readonly off: number;
  /** The most instances that there were lately. */
  readonly lately: number;
}

/** The fleet is on again when this share of the quorum is left that is not well: between the two, nothing flaps. */
const RECOVERY_SHARE = 0.5;

/**
 * What the fleet should turn to, or null if it is to stay as it is.
 *
 * It is cut by a share of as many as there were lately, not of those that stand at the moment: after an
 * outage in which all leases ran out, the first to come back is no fleet.
 */
export function fleetVerdict(
  present: 'on' | 'off',
  { instances, off, lately }: VoteCount,
  quorum: number,
): 'on' | 'off' | null {
  if (instances === 0) return null;
  if (present === 'on') return off > quorum * Math.max(instances, lately) ? 'off' : null;
  return off <= quorum * RECOVERY_SHARE * instances ? 'on' : null;
}

/** How long a fleet is remembered as large as it was, in milliseconds: at least once, less than twice. */
const MEMORY_MS = 30_000;

/** The most instances that there were lately. */
export class FleetSize {
  private present = 0;
  private before = 0;
  private since = -Infinity;

  /** Takes note of how many there are; gives how many there were at most. */
  note(now: number, instances: number): number {
    if (now - this.since >= MEMORY_MS) {
      // Nobody has looked for so long that what was then is no longer lately.
      this.before = now - this.since >= 2 * MEMORY_MS ? 0 : this.present;
      this.present = 0;
      this.since = now;
    }
    this.present = Math.max(this.present, instances);
    return Math.max(this.present, this.before);
  }
}
