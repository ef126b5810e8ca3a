import { hashPair, hashText } from '../../client/hash.js';

/** How many targets one prober takes before another one helps it. */
export const TARGETS_PER_PROBER = 200;

/** Who probes: as many of the candidates, in their order, as so many targets need. */
export function activeProbers(
  candidates: readonly string[],
  targets: number,
  perProber = TARGETS_PER_PROBER,
): readonly string[] {
  const distinct = [...new Set(candidates)];
  return distinct.slice(0, Math.ceil(targets / perProber));
}

/**
 * Shares targets out over those who probe, by rendezvous hashing: every process comes to the same
 * result without a message, and when one of `n` comes or goes about an n-th of the targets moves.
 */
export class ProbeShare {
  private readonly hashes: readonly number[];
  private readonly own: number;

  constructor(
    readonly active: readonly string[],
    ownId: string,
  ) {
    this.hashes = active.map(hashText);
    this.own = active.indexOf(ownId);
  }

  /** Whether this process probes that target. */
  isMine(key: string): boolean {
    // Most have nothing to do, or all of it.
    if (this.own < 0 || this.hashes.length === 1) return this.own === 0;
    const keyHash = hashText(key);
    let winner = 0;
    let highest = -1;
    for (const [index, hash] of this.hashes.entries()) {
      const score = hashPair(hash, keyHash);
      // The same score twice: the earlier candidate's.
      if (score > highest) [winner, highest] = [index, score];
    }
    return winner === this.own;
  }
}
