import { Gate, GateKind } from '../../nest/gate.js';
import type { CallContext } from './current-call.js';
import { ResilienceError } from './resilience.errors.js';
import type { RequestOptions } from './resilient-request.js';

/** What makes the calls: a `Resilience`. */
export interface CallsToKeep {
  run(
    policy: string,
    work: (call: CallContext) => unknown,
    options: RequestOptions,
  ): Promise<unknown>;
}

/**
 * Makes the calls of methods marked `@Resilient`. There is one for each connection of an application; Nest
 * puts it on the object.
 */
export class ResilienceGate extends Gate {
  constructor(private readonly calls: CallsToKeep) {
    super();
  }

  run(policy: string, work: () => unknown, options: RequestOptions): Promise<unknown> {
    return this.calls.run(policy, work, options);
  }

  /** The error of a call; for a message handler, if it is that of a policy, one that its sender gets to read. */
  refusal(error: unknown, forMessage: boolean): unknown {
    if (!(error instanceof ResilienceError)) return error;
    return this.told(error, error.toJSON(), forMessage);
  }
}

export const RESILIENCE_GATES = new GateKind<ResilienceGate>(
  'ResilienceGate',
  '@Resilient',
  'make the call under its policy',
);
