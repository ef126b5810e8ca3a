import type { DocumentKind } from '../live-documents.js';
import { RuleReader } from '../rule-reader.js';
import type {
  BreakerOptions,
  BulkheadOptions,
  HedgeOptions,
  Policy,
  PolicyOptions,
  RetryPolicyOptions,
} from './policy.js';

/** The longest time that a timer of Node's can have, in milliseconds: some 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const MAX_COUNT = 1_000_000;

const MS = { least: 1, most: MAX_TIMER_MS, unit: 'milliseconds' };
const COUNT = { least: 1, most: MAX_COUNT };

const PARTS = [
  'timeoutMs',
  'retry',
  'breaker',
  'bulkhead',
  'hedge',
] as const satisfies readonly (keyof PolicyOptions)[];
const RETRY = [
  'attempts',
  'initialDelayMs',
  'maxDelayMs',
  'budget',
  'minRetriesPerSecond',
] as const satisfies readonly (keyof RetryPolicyOptions)[];
const BREAKER = [
  'kind',
  'failures',
  'threshold',
  'windowMs',
  'minCalls',
  'openMs',
  'halfOpenCalls',
] as const satisfies readonly (keyof BreakerOptions)[];
const BULKHEAD = ['concurrent', 'queue'] as const satisfies readonly (keyof BulkheadOptions)[];
const HEDGE = ['afterMs', 'attempts'] as const satisfies readonly (keyof HedgeOptions)[];

/** What policies are: declared in `traffic.policies`, and turned by the documents `traffic/policies/<name>`. */
export const POLICY_KIND: DocumentKind<Policy> = {
  noun: 'policy',
  folder: 'traffic/policies',
  read: readPolicy,
};

/**
 * Fills in what was left out.
 *
 * @throws {RuleFault} naming the first field that cannot be, its value and the cure
 */
export function readPolicy(fields: unknown): Policy {
  const reader = RuleReader.of(fields, PARTS);
  return {
    timeoutMs: reader.has('timeoutMs') ? reader.whole('timeoutMs', MS) : null,
    retry: readRetry(reader.group('retry', RETRY)),
    breaker: readBreaker(reader.group('breaker', BREAKER)),
    bulkhead: readBulkhead(reader.group('bulkhead', BULKHEAD)),
    hedge: readHedge(reader.group('hedge', HEDGE)),
  };
}

function readRetry(reader: RuleReader | undefined): Policy['retry'] {
  if (!reader) return null;
  const initialDelayMs = reader.whole('initialDelayMs', { ...MS, least: 0, fallback: 100 });
  return {
    attempts: reader.whole('attempts', { least: 1, most: 10, fallback: 3 }),
    initialDelayMs,
    // A first pause above the cap would be cut to it in silence.
    maxDelayMs: reader.whole('maxDelayMs', {
      ...MS,
      least: initialDelayMs,
      fallback: Math.max(2000, initialDelayMs),
    }),
    budget: reader.real('budget', { least: 0, most: 1, fallback: 0.1 }),
    minRetriesPerSecond: reader.real('minRetriesPerSecond', {
      least: 0,
      most: MAX_COUNT,
      fallback: 1,
    }),
  };
}

function readBreaker(reader: RuleReader | undefined): Policy['breaker'] {
  if (!reader) return null;
  return {
    kind: reader.oneOf('kind', ['consecutive', 'ratio'], 'consecutive'),
    failures: reader.whole('failures', { ...COUNT, fallback: 5 }),
    threshold: readThreshold(reader),
    windowMs: reader.whole('windowMs', { ...MS, fallback: 10_000 }),
    minCalls: reader.whole('minCalls', { ...COUNT, fallback: 20 }),
    openMs: reader.whole('openMs', { ...MS, fallback: 5000 }),
    halfOpenCalls: reader.whole('halfOpenCalls', { ...COUNT, fallback: 1 }),
  };
}

function readThreshold(reader: RuleReader): number {
  const threshold = reader.real('threshold', { least: 0, most: 1, fallback: 0.5 });
  // It would open with no failure at all.
  if (threshold === 0) throw reader.wrong('threshold', 'give a number above 0, up to 1');
  return threshold;
}

function readBulkhead(reader: RuleReader | undefined): Policy['bulkhead'] {
  if (!reader) return null;
  return {
    concurrent: reader.whole('concurrent', COUNT),
    queue: reader.whole('queue', { ...COUNT, least: 0, fallback: 0 }),
  };
}

function readHedge(reader: RuleReader | undefined): Policy['hedge'] {
  if (!reader) return null;
  return {
    afterMs: reader.whole('afterMs', MS),
    attempts: reader.whole('attempts', { least: 2, most: 5, fallback: 2 }),
  };
}
