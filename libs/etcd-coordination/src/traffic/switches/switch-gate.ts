import { Gate, GateKind } from '../../nest/gate.js';
import type { DegradableSwitch } from './degradable-switch.js';
import type { DegradedError, DegradedFallbackError } from './switch.errors.js';
import type { Switches } from './switches.js';

/**
 * Gives the methods marked `@Degradable` their switches. There is one for each connection of an
 * application; Nest puts it on the object.
 */
export class SwitchGate extends Gate {
  constructor(private readonly switches: Pick<Switches, 'of'>) {
    super();
  }

  /** @throws {UnknownTrafficNameError} if it is not declared */
  switchOf(name: string, by: string): DegradableSwitch {
    return this.switches.of(name, by);
  }

  /** The error of a call that is cut; for a message handler one that its sender gets to read. */
  refusal(error: DegradedError | DegradedFallbackError, forMessage: boolean): Error {
    return this.told(error, error.toJSON(), forMessage);
  }
}

export const SWITCH_GATES = new GateKind<SwitchGate>(
  'SwitchGate',
  '@Degradable',
  'tell whether it is switched off',
);
