import type { RateLimitOptions } from '../traffic/limit/rate-limit-rule.js';
import type { PolicyOptions } from '../traffic/resilience/policy.js';
import type { SwitchOptions } from '../traffic/switches/switch-rule.js';

/**
 * What keeps a fleet standing when traffic or a dependency goes wrong. Each is declared here with its
 * numbers, by a name of its own; a document of the `ConfigStore` turns single ones of them, in all
 * processes, while everything runs.
 */
export interface TrafficOptions {
  /** For `@RateLimit` and `RateLimiter`; turned by `traffic/limits/<name>`. */
  readonly limits?: Readonly<Record<string, RateLimitOptions>>;
  /** For `@Resilient` and `Resilience`; turned by `traffic/policies/<name>`. */
  readonly policies?: Readonly<Record<string, PolicyOptions>>;
  /** For `@Degradable` and `Switches`; turned by `traffic/switches/<name>`, and all at once by `traffic/load`. */
  readonly switches?: Readonly<Record<string, SwitchOptions>>;
}
