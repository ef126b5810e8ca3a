/** Who leads an election, as every process sees it. */
export interface Leadership {
  /** The election's name. */
  readonly election: string;
  /** The `instanceId` of the process that leads. */
  readonly leaderId: string;
  /** What the leader said of itself when it joined, such as its address. Empty if nothing. */
  readonly value: string;
  /** The epoch of the leader's term. */
  readonly epoch: bigint;
}

/** One that stands in an election: the first of them leads. */
export interface Candidate {
  /** The `instanceId` of the candidate's process. */
  readonly candidateId: string;
  /** What it said of itself when it joined. */
  readonly value: string;
  /** The revision at which it came; the candidates win in this order. */
  readonly since: bigint;
}
