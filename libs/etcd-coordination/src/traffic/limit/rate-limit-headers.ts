import type { RateLimitDecision } from './rate-limit-decision.js';
import type { RateLimitRule } from './rate-limit-rule.js';

/** What of a response headers are set on: Express and Fastify have the first two, Node the others. */
interface Response {
  header?(name: string, value: string): unknown;
  getHeader?(name: string): unknown;
  setHeader?(name: string, value: string): unknown;
}

const POLICY = 'RateLimit-Policy';
const STATE = 'RateLimit';

/**
 * Tells a caller of a limit by the headers `RateLimit-Policy` and `RateLimit`, and after how many seconds to
 * come back if it was one too many. Several limits of one response are listed.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
 */
export function sayLimit(
  response: unknown,
  rule: string,
  { limit, windowMs }: RateLimitRule,
  { allowed, remaining, resetMs, retryAfterMs }: RateLimitDecision,
): void {
  const to = response as Response;
  const name = asString(rule);
  // The draft has whole seconds only.
  const seconds = Math.max(1, Math.ceil(windowMs / 1000));
  const quota = Math.max(1, Math.floor((limit * seconds * 1000) / windowMs));
  add(to, POLICY, `${name};q=${quota};w=${seconds}`);
  add(to, STATE, `${name};r=${remaining};t=${Math.ceil(resetMs / 1000)}`);
  if (!allowed) set(to, 'Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
}

function add(response: Response, name: string, value: string): void {
  const before = response.getHeader?.(name);
  set(response, name, typeof before === 'string' && before !== '' ? `${before}, ${value}` : value);
}

function set(response: Response, name: string, value: string): void {
  if (response.header) response.header(name, value);
  else response.setHeader?.(name, value);
}

/** A structured field's string holds printable ASCII. */
function asString(name: string): string {
  const printable = /^[ -~]*$/.test(name) ? name : encodeURIComponent(name);
  return `"${printable.replace(/["\\]/g, '\\$&')}"`;
}
