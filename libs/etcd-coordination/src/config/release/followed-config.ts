import type { PrefixView } from '../../watch/prefix-view.js';

/** What became of a release's document in this instance. */
export interface CandidateOutcome {
  readonly releaseId: string;
  readonly state: 'applied' | 'rejected';
  /** Why it was rejected, as a sentence; null if it was applied. */
  readonly reason: string | null;
}

/**
 * A configuration that this process follows, as its part in a release needs it. The store gives
 * each one that it watches to `ConfigReleases.follow`, and ends that when it follows it no longer.
 */
export interface FollowedConfig {
  readonly key: string;
  /** Everything under `configLivePrefix`: the layers, and a release under way. */
  readonly live: PrefixView;
  /**
   * What became of the document of the release that `candidateFor` names: null until it is
   * applied (the value that is read now was made with it) or rejected, and again once it no
   * longer counts.
   */
  candidateOutcome(): CandidateOutcome | null;
  /** Calls `listener` after every change of {@link candidateOutcome}. Returns what ends that. */
  onCandidateOutcome(listener: () => void): () => void;
}
