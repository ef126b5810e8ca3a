import type { RateLimitKey } from './rate-limit-rule.js';

/** What of a request tells callers apart; those of Express and Fastify have it all. */
interface Asked {
  readonly ip?: unknown;
  readonly user?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/**
 * By what a request counts; undefined if it has nothing of the kind, as one without that header.
 *
 * `ip` is what the HTTP server takes it for: behind a proxy, set its `trust proxy`.
 */
export function keyOfRequest(request: unknown, key: RateLimitKey): string | undefined {
  if (key === 'none' || key === 'call' || typeof request !== 'object' || request === null)
    return undefined;
  const { ip, user, headers } = request as Asked;
  if (key === 'ip') return asKey(ip);
  if (key === 'user') {
    const { id, sub } = (user ?? {}) as { readonly id?: unknown; readonly sub?: unknown };
    return asKey(id) ?? asKey(sub);
  }
  const value = headers?.[key.slice('header:'.length).toLowerCase()];
  return asKey(Array.isArray(value) ? value.join(',') : value);
}

/** A key, or undefined for what says nothing. */
export function asKey(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : undefined;
}
