/** How a process stands in an election. */
export interface CandidacyOptions {
  /** What the candidate says of itself to those who observe the election, such as its address. Default: nothing. */
  readonly value?: string;
  /** Leaves the election when it aborts. */
  readonly signal?: AbortSignal;
}

/** Whom an election service belongs to. */
export interface ElectionIdentity {
  /** The first part of every key. */
  readonly namespace: string;
  /** How this process is known to the others. */
  readonly instanceId: string;
}
