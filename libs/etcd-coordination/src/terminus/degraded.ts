import type { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';

type Session<Key extends string> = ReturnType<typeof HealthIndicatorService.prototype.check<Key>>;

/** Degraded; Terminus 11 knows no such thing, and says `up` with a word. */
export function degraded<Key extends string>(
  indicator: Session<Key>,
  data: Record<string, unknown>,
): HealthIndicatorResult<Key> {
  return typeof indicator.degraded === 'function'
    ? indicator.degraded(data)
    : indicator.up({ ...data, degraded: true });
}
