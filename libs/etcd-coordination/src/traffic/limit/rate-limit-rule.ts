import type { DocumentKind } from '../live-documents.js';
import { RuleReader } from '../rule-reader.js';

/** By what the calls under a rule are told apart, each with a limit of its own. */
export type RateLimitKey = 'none' | 'call' | 'ip' | 'user' | `header:${string}`;

/** What a limit is declared with, in `traffic.limits`; a document `traffic/limits/<name>` turns single fields. */
export interface RateLimitOptions {
  /** So many calls in a window; a whole number from 1. */
  readonly limit: number;
  /** The window, in milliseconds, up to a day. */
  readonly windowMs: number;
  /**
   * So many calls may come at once after a rest, beside those that the limit lets through meanwhile.
   * Default `limit`; for a fleet's limit that is not by key a tenth of it, so that no window has more
   * than 1.1 × the limit. A process always has room for one call.
   */
  readonly burst?: number;
  /**
   * Whose limit it is: that of each `'instance'`, or one of the whole `'fleet'`, divided among the
   * processes that use the rule.
   */
  readonly mode: 'instance' | 'fleet';
  /**
   * `'ip'` is `request.ip`, `'user'` is `request.user.id` or `.sub`, `'header:<name>'` a header, and `'call'`
   * only what a call or a decorator gives as its `key`, which goes before all of these. Calls without one
   * share a limit. Default `'none'`: all calls together, and a key that is given in code is an error, unless
   * only a document has turned it to that.
   */
  readonly key?: RateLimitKey;
  /**
   * Of so many keys each process knows what they have used; up to 1,000,000, some 150 bytes each. A key that has
   * all of its limit again needs no room: so it is about as many as call in a window. Those that find none share
   * one limit, which is said in the log once. Default 10,000.
   */
  readonly maxKeys?: number;
}

/** A limit as it stands, defaults filled in. */
export type RateLimitRule = Required<RateLimitOptions>;

const FIELDS = ['limit', 'windowMs', 'burst', 'mode', 'key', 'maxKeys'];
const MOST_CALLS = 1_000_000_000;
const MOST_KEYS = 1_000_000;
const DEFAULT_MAX_KEYS = 10_000;
/** A day: what is counted is lost with the process. */
const LONGEST_WINDOW_MS = 86_400_000;
const KEY = /^(none|call|ip|user|header:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})$/;

/** How limits are declared and turned. */
export const LIMITS: DocumentKind<RateLimitRule> = {
  noun: 'limit',
  folder: 'traffic/limits',
  read: readRateLimitRule,
};

/** @throws {RuleFault} naming the field that a limit cannot have */
export function readRateLimitRule(this: void, given: unknown): RateLimitRule {
  const fields = RuleReader.of(given, FIELDS);
  const limit = fields.whole('limit', { least: 1, most: MOST_CALLS, unit: 'calls' });
  const windowMs = fields.whole('windowMs', {
    ...{ least: 1, most: LONGEST_WINDOW_MS, unit: 'milliseconds' },
  });
  const mode = fields.oneOf('mode', ['instance', 'fleet']);
  const key = readKey(fields);
  const smooth = mode === 'fleet' && key === 'none';
  const fallback = smooth ? Math.max(1, Math.round(limit / 10)) : limit;
  const burst = fields.whole('burst', { least: 1, most: MOST_CALLS, unit: 'calls', fallback });
  const maxKeys = fields.whole('maxKeys', {
    ...{ least: 1, most: MOST_KEYS, unit: 'keys', fallback: DEFAULT_MAX_KEYS },
  });
  return { limit, windowMs, burst, mode, key, maxKeys };
}

function readKey(fields: RuleReader): RateLimitKey {
  const key = fields.value('key') ?? 'none';
  if (typeof key === 'string' && KEY.test(key)) return key as RateLimitKey;
  throw fields.wrong(
    'key',
    'give "none", "call", "ip", "user" or "header:" with the name of a header',
  );
}
