import { Gate, GateKind } from '../nest/gate.js';
import type { LeaderTerm } from './leader-term.js';
import type { Leadership } from './leadership.js';
import { NotLeaderError } from './not-leader.error.js';

/** What this process knows of its elections without asking etcd. */
export interface LocalElections {
  term(election: string): LeaderTerm | null;
  leader(election: string): Leadership | null;
}

/**
 * Decides for every call of a method gated by `@Leader` whether it runs. There is one for
 * each connection of an application; Nest puts it on the gated object.
 */
export class LeaderGate extends Gate {
  constructor(
    private readonly elections: LocalElections,
    private readonly instanceId: string,
  ) {
    super();
  }

  /** The term that stands now by the clock, or null. Makes no call. */
  term(election: string): LeaderTerm | null {
    return this.elections.term(election);
  }

  /** The error that this instance does not lead; for a message handler one that its sender gets to read. */
  refusal(election: string, forMessage: boolean): Error {
    const error = new NotLeaderError(election, this.instanceId, this.elections.leader(election));
    return this.told(error, error.toJSON(), forMessage);
  }
}

export const LEADER_GATES = new GateKind<LeaderGate>(
  'LeaderGate',
  '@Leader, @OnElected and @OnRevoked',
  'tell whether it leads',
);
