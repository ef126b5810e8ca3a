import { nameFault, shownName } from '../client/name-fault.js';
import { frozenCopy } from '../config/deep-freeze.js';
import { LIMITS } from '../traffic/limit/rate-limit-rule.js';
import { readRule, type DocumentKind } from '../traffic/live-documents.js';
import { POLICY_KIND } from '../traffic/resilience/policy-kind.js';
import { SWITCH_KIND } from '../traffic/switches/switch-rule.js';
import { InvalidTrafficRuleError } from '../traffic/traffic.errors.js';
import {
  readWriteBatcherOptions,
  WRITE_BATCHER_OPTIONS,
  type WriteBatcherOptions,
} from '../transaction/write-batcher-options.js';
import { InvalidWriteBatcherOptionsError } from '../transaction/write-batcher.errors.js';
import { InvalidOptionError } from './invalid-option.error.js';
import type { OptionReader } from './option-reader.js';
import type { TrafficOptions } from './traffic-options.js';

/** @throws {InvalidOptionError} naming the rule and the field of `traffic` that cannot be */
export function readTraffic(options: OptionReader): Required<TrafficOptions> {
  const traffic = options.group('traffic', ['limits', 'policies', 'switches']);
  return {
    limits: readRules(traffic, 'limits', LIMITS),
    policies: readRules(traffic, 'policies', POLICY_KIND),
    switches: readRules(traffic, 'switches', SWITCH_KIND),
  };
}

/** @throws {InvalidOptionError} naming the option of `batcher` that cannot be */
export function readBatcher(options: OptionReader): Required<WriteBatcherOptions> {
  options.group('batcher', WRITE_BATCHER_OPTIONS);
  try {
    return readWriteBatcherOptions(options.optional('batcher'));
  } catch (error) {
    if (!(error instanceof InvalidWriteBatcherOptionsError)) throw error;
    const cause = { cause: error };
    throw new InvalidOptionError('batcher', undefined, `cannot be: ${error.message}`, cause);
  }
}

function readRules<Rule extends object, Fields extends object>(
  traffic: OptionReader | undefined,
  group: string,
  kind: DocumentKind<Rule>,
): Readonly<Record<string, Fields>> {
  const rules = traffic?.optional(group);
  if (rules === undefined) return {};
  if (typeof rules !== 'object' || rules === null || Array.isArray(rules)) {
    throw traffic!.wrong(group, rules, `give an object, each ${kind.noun} by its name.`);
  }
  for (const [name, fields] of Object.entries(rules)) {
    const fault = nameFault(name);
    if (fault !== null) {
      const option = `traffic.${group}`;
      throw new InvalidOptionError(
        option,
        undefined,
        `has the name ${shownName(name)}: it ${fault}.`,
      );
    }
    assertRule(kind, `traffic.${group}.${name}`, name, fields);
  }
  // What the user changes in it later was never looked at.
  return frozenCopy(rules) as Readonly<Record<string, Fields>>;
}

function assertRule<Rule extends object>(
  kind: DocumentKind<Rule>,
  option: string,
  name: string,
  fields: unknown,
): void {
  try {
    readRule(kind, name, fields);
  } catch (error) {
    if (!(error instanceof InvalidTrafficRuleError)) throw error;
    const { path, fault } = error;
    const whole = path === '' ? option : `${option}.${path}`;
    throw new InvalidOptionError(whole, undefined, `${fault}.`, { cause: error });
  }
}
