import type { Fence } from '../../context/fence.js';

/** One reign over a release's election. */
export interface ReleaseTerm {
  readonly fence: Fence;
  /** Aborts when the term ends, before anybody else's can begin. */
  readonly signal: AbortSignal;
}

/**
 * Who may control a release. Features do not know each other, so the module gives this to the
 * configuration, made of the election's service.
 */
export interface ReleaseLeadership {
  /**
   * Stands in the election `name` until stopped, term after term, and calls `run` once for each
   * term that is won. `run` ends soon after its term's signal aborts. One that ends sooner gives
   * its term up, so that another instance may try; one that rejects is logged, too.
   */
  lead(name: string, run: (term: ReleaseTerm) => Promise<void>): ReleaseCandidacy;
}

/** A standing in a release's election. */
export interface ReleaseCandidacy {
  /** Leaves the election: the term's signal aborts, `run` ends, and then the next one leads. Never rejects. */
  stop(): Promise<void>;
}
