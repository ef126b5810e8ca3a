import type { InstanceState } from '../service-instance.js';

/** What a gate may say: an instance's own health, its draining aside. */
export type GateState = Extract<InstanceState, 'starting' | 'up' | 'down'>;

/** What leads from one state to another. */
export interface GateRule {
  /** So many failures in a row take it down. */
  readonly failures: number;
  /** So many passes in a row bring it up again. */
  readonly passes: number;
}

/** Where a gate stands, and how many results in a row speak against that. */
export interface Gate {
  readonly state: GateState;
  readonly against: number;
}

/** The gate of one who has yet to pass for the first time. */
export const STARTING_GATE: Gate = { state: 'starting', against: 0 };
/** The gate of one who was well before anybody asked. */
export const UP_GATE: Gate = { state: 'up', against: 0 };

/**
 * The gate after one more result. It takes one pass to come up for the first time, and from then on
 * as many in a row as the rule says, both ways: so a check that flaps moves nothing. One who has
 * never passed goes on starting, however often it fails.
 */
export function nextGate({ state, against }: Gate, passed: boolean, rule: GateRule): Gate {
  if (state === 'starting') return passed ? UP_GATE : STARTING_GATE;
  if (passed === (state === 'up')) return { state, against: 0 };
  const needed = state === 'up' ? rule.failures : rule.passes;
  if (against + 1 < needed) return { state, against: against + 1 };
  return { state: state === 'up' ? 'down' : 'up', against: 0 };
}
