import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { ConfigStatus } from '../config/config-change.js';
import { ConfigInvalidError } from '../config/config.errors.js';
import type { ConfigStore } from '../config/config.store.js';
import type { PartHealth } from './part-health.js';

/** How one configuration stands, in the words of a health check. */
interface ConfigHealth {
  readonly status: 'up' | 'degraded';
  readonly source: ConfigStatus['source'];
  readonly revision: string;
  /** When it was last known to be etcd's; null if that never was. */
  readonly currentAt: string | null;
  /** What is wrong with it. */
  readonly message?: string;
  /** The push that was refused. */
  readonly rejected?: {
    readonly layer: string | null;
    readonly revision: string;
    readonly at: string;
    readonly message: string;
  };
}

/** How the configurations that this process follows stand, and the snapshot of them. */
export function configHealth(store: ConfigStore, staleAfterMs: number): PartHealth {
  const configs = store.status().map((status) => ({
    status,
    health: healthOf(status, staleAfterMs),
  }));
  const faultsOf = (isMissing: boolean) =>
    configs
      .filter(({ status }) => (status.source === null) === isMissing)
      .flatMap(({ health }) => health.message ?? []);
  const snapshot = store.snapshotError;
  return {
    details: {
      configs: Object.fromEntries(configs.map(({ status, health }) => [status.key, health])),
      ...(snapshot && { snapshot: { reason: snapshot.reason, message: snapshot.message } }),
    },
    missing: faultsOf(true),
    degraded: [...faultsOf(false), ...(snapshot ? [snapshot.message] : [])],
  };
}

function healthOf(status: ConfigStatus, staleAfterMs: number): ConfigHealth {
  const { source, revision, ageMs, rejected } = status;
  const currentAt = Number.isFinite(ageMs) ? new Date(Date.now() - ageMs).toISOString() : null;
  const message = whatIsWrong(status, currentAt, staleAfterMs);
  return {
    status: message === null ? 'up' : 'degraded',
    source,
    revision: revision.toString(),
    currentAt,
    ...(message !== null && { message }),
    ...(rejected && {
      rejected: {
        layer: rejected.layer,
        revision: rejected.revision.toString(),
        at: rejected.at.toISOString(),
        message: told(rejected.error),
      },
    }),
  };
}

/** A health check is read by many: a schema's words may quote values, and stay in the log. */
function told(error: EtcdCoordinationError): string {
  return error instanceof ConfigInvalidError ? error.publicMessage : error.message;
}

function whatIsWrong(
  { key, source, synced, ageMs, rejected }: ConfigStatus,
  currentAt: string | null,
  staleAfterMs: number,
): string | null {
  if (source === null) {
    return rejected ? told(rejected.error) : `The configuration "${key}" has no value yet.`;
  }
  if (rejected) return `${told(rejected.error)} The last good value stands.`;
  if (source === 'snapshot') {
    return `The configuration "${key}" is that of the snapshot of ${currentAt}; etcd does not answer.`;
  }
  if (!synced || ageMs > staleAfterMs) {
    const since = currentAt === null ? 'never' : `last at ${currentAt}`;
    return `The configuration "${key}" may be stale: it was ${since} known to be what etcd holds.`;
  }
  return null;
}
