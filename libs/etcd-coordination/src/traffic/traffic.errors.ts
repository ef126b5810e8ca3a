import { EtcdCoordinationError } from '../client/coordination.error.js';
import { shownName } from '../client/name-fault.js';

/** What the documents of `traffic` say: how calls are limited, kept steady, or cut. */
export type TrafficNoun = 'limit' | 'policy' | 'switch';

const OPTION: Record<TrafficNoun, string> = {
  limit: 'traffic.limits',
  policy: 'traffic.policies',
  switch: 'traffic.switches',
};

/** Nobody has declared a limit, a policy or a switch of that name in this process. */
export class UnknownTrafficNameError extends EtcdCoordinationError {
  constructor(
    readonly noun: TrafficNoun,
    /** What was given as a name. */
    readonly given: unknown,
    /** Those that there are. */
    readonly known: readonly string[],
    /** Who asked for it, such as "Orders.place". */
    by?: string,
  ) {
    const who = by === undefined ? '' : `, which ${by} asks for`;
    const there =
      known.length === 0
        ? 'None is declared'
        : `Those are: ${known.map((name) => `"${name}"`).join(', ')}`;
    super(
      'UNKNOWN_TRAFFIC_NAME',
      `There is no ${noun} ${shownName(given)}${who}. ${there}; declare it in the option "${OPTION[noun]}" of EtcdCoordinationModule.`,
    );
  }
}

/** Numbers of a limit, a policy or a switch that it cannot have. */
export class InvalidTrafficRuleError extends EtcdCoordinationError {
  constructor(
    readonly noun: TrafficNoun,
    /** Its name. */
    readonly rule: string,
    /** Where in it, such as `retry.attempts`; empty for the whole. */
    readonly path: string,
    /** What is wrong there, and what to give, as a sentence's end: "is 0: give a whole number from 1". */
    readonly fault: string,
  ) {
    const where = path === '' ? `The ${noun} "${rule}"` : `"${path}" of the ${noun} "${rule}"`;
    super('INVALID_TRAFFIC_RULE', `${where} ${fault}.`);
  }
}
