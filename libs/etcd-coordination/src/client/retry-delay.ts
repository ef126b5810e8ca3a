import type { RetryOptions } from './client-options.js';

/**
 * The pause before a repeated attempt: exponential with full jitter, so that a
 * crowd which failed together does not come back together.
 *
 * @param attempt 1 after the first failure
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function retryDelay(
  attempt: number,
  { initialDelayMs, maxDelayMs }: Pick<RetryOptions, 'initialDelayMs' | 'maxDelayMs'>,
  random: () => number = Math.random,
): number {
  // Far beyond any cap already; 0 × ∞ would be no number at all.
  const doublings = Math.min(attempt - 1, 50);
  return random() * Math.min(maxDelayMs, initialDelayMs * 2 ** doublings);
}
