import type { WorkerPart } from '../works/work.js';

/** What is under test: this library, or plain etcd3 with its own recipes. */
export type SystemName = 'ours' | 'etcd3';

/** One process's hold on etcd; each system's folder has its own, with the services that its parts use. */
export interface SystemUnderTest {
  /**
   * As an application closes it: drained, handed over, revoked.
   *
   * @param stopped resolves when the parts' work has ended, for a system that does not see to that itself
   */
  close(stopped: Promise<unknown>): Promise<void>;
}

/** What `systems/<name>/index.ts` exports as `system`. */
export interface SystemModule {
  /** Rejects if it cannot start now, leaving nothing behind. */
  start(access: Access, parts: readonly WorkerPart[]): Promise<SystemUnderTest>;
  /** Whether that is for want of etcd, and so may be tried again. */
  isOutage(error: unknown): boolean;
}

/** How a worker process reaches etcd. */
export interface Access {
  /** One proxy of the slot's own for each member. */
  readonly endpoints: readonly string[];
  readonly namespace: string;
  readonly ttlSeconds: number;
  readonly instanceId: string;
  readonly auth?: { readonly username: string; readonly password: string };
  /** Where this slot's processes, one after the other, keep their last good configurations. */
  readonly snapshotFile: string;
  /** PEM file of the authority; with it endpoints are `https:`. Read anew at each start. */
  readonly caFile?: string;
}
