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
import { DiscoverySnapshot } from '../discovery/discovery-snapshot.js';
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
 * snapshot that holds configurations, or one that holds instances.
 *
 * @throws {EtcdConnectError} saying why the snapshot is no help, if there is to be one
 */
export async function mayStartWithout(
  options: ResolvedCoordinationOptions,
  snapshot: ConfigSnapshot | null,
  error: EtcdConnectError,
): Promise<boolean> {
  const standIns = await standInsOf(options, snapshot);
  if (standIns.length === 0) {
    const advice = adviceOn(options, snapshot);
    if (advice === null) return false;
    throw new EtcdConnectError(options.connection, error.failures, advice);
  }
  new Logger('EtcdCoordination').warn(
    `${error.message} The application starts without it: ${standIns.join(', ')}, and nothing leads until etcd is back.`,
  );
  return true;
}

/** What comes from where, in the words of the log. */
async function standInsOf(
  { namespace, config, discovery }: ResolvedCoordinationOptions,
  snapshot: ConfigSnapshot | null,
): Promise<string[]> {
  const standIns: string[] = [];
  if (config.snapshot && isUsable(snapshot)) {
    standIns.push(`its configuration comes from the snapshot ${await describe(config.snapshot)}`);
  }
  const lists = discovery.snapshot;
  if (lists && (await DiscoverySnapshot.holdsLists(lists.file, namespace))) {
    standIns.push(`the instances that it calls come from the snapshot ${await describe(lists)}`);
  }
  return standIns;
}

/** Why the snapshots that are kept were no help; null if none is kept. */
function adviceOn(
  { config, discovery }: ResolvedCoordinationOptions,
  snapshot: ConfigSnapshot | null,
): string | null {
  if (config.snapshot) {
    const why =
      snapshot?.error?.message ??
      `There is nothing in ${JSON.stringify(config.snapshot.file)} yet.`;
    return `A configuration snapshot would have let the application start all the same. ${why}`;
  }
  if (!discovery.snapshot) return null;
  const file = JSON.stringify(discovery.snapshot.file);
  return `A snapshot of instances would have let the application start all the same. There is nothing in ${file} yet that could be used.`;
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

async function describe({ file }: { readonly file: string }): Promise<string> {
  const found = await stat(file).catch(() => null);
  return JSON.stringify(file) + (found ? `, written at ${found.mtime.toISOString()}` : '');
}
