import { stat } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import type { MonotonicClock } from '../client/clock.js';
import {
  EtcdNoSpaceError,
  EtcdTimeoutError,
  EtcdUnavailableError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import { EtcdConnectError } from '../client/etcd-connect.error.js';
import { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import type { SnapshotOptions } from '../config/snapshot/snapshot-options.js';
import { SessionLostError } from '../session/session-lost.error.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';

/** The snapshot of a connection, not opened yet; null if it is to have none. */
export function snapshotOf(
  { connection, namespace, service, config }: ResolvedCoordinationOptions,
  clock: MonotonicClock,
): ConfigSnapshot | null {
  const owner = { connection, namespace, ...(service && { service: service.name }) };
  return config.snapshot ? new ConfigSnapshot(config.snapshot, owner, clock) : null;
}

/**
 * Whether an application may start though no endpoint of a connection can be reached: with a
 * snapshot that holds configurations.
 *
 * @throws {EtcdConnectError} saying why the snapshot is no help, if there is to be one
 */
export async function mayStartWithout(
  { connection, config }: ResolvedCoordinationOptions,
  snapshot: ConfigSnapshot | null,
  error: EtcdConnectError,
): Promise<boolean> {
  if (!snapshot || !config.snapshot) return false;
  if (!isUsable(snapshot)) {
    const why =
      snapshot.error?.message ?? `There is nothing in ${JSON.stringify(config.snapshot.file)} yet.`;
    const advice = `A configuration snapshot would have let the application start all the same. ${why}`;
    throw new EtcdConnectError(connection, error.failures, advice);
  }
  new Logger('EtcdCoordination').warn(
    `${error.message} The application starts without it: its configuration comes from the snapshot ${await describe(config.snapshot)}, and nothing leads until etcd is back.`,
  );
  return true;
}

/** Whether a snapshot can stand in for etcd. */
export function isUsable(snapshot: ConfigSnapshot | null): boolean {
  return snapshot !== null && !snapshot.error && snapshot.size > 0;
}

/** Whether what was refused a lease so may be granted one later, without anything being changed here. */
export function mayPass(error: unknown): boolean {
  return PASSING.some((type) => error instanceof type);
}

const PASSING = [
  EtcdUnavailableError,
  EtcdTimeoutError,
  WriteOutcomeUnknownError,
  EtcdNoSpaceError,
  // It was granted, and answered so late that it had run out.
  SessionLostError,
];

async function describe({ file }: SnapshotOptions): Promise<string> {
  const found = await stat(file).catch(() => null);
  return JSON.stringify(file) + (found ? `, written at ${found.mtime.toISOString()}` : '');
}
