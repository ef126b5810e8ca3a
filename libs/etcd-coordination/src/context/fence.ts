/**
 * What proves ownership to a third party: the key in etcd that stands for it, and a number that
 * every later grant of the same resource exceeds.
 *
 * Who keeps the newest token that it has seen refuses an older one. A transaction in etcd goes
 * further: one that compares `create_revision(key) == revision` commits only while the
 * ownership stands, whatever the clocks of its writers say.
 */
export interface Fence {
  /** What is owned, such as `election/reconciler` or `lock/sku/1`. */
  readonly resource: string;
  /** The whole key in etcd, namespace included, that exists while the grant stands. */
  readonly key: string;
  /** The create revision of `key`. */
  readonly revision: bigint;
  /**
   * Larger than that of every earlier grant. It begins with {@link revision}: of a term it is that
   * revision; of a lock the revision times 2^20, plus the number of the grant, as a process may
   * grant a lock many times over behind one key.
   */
  readonly token: bigint;
}

/**
 * A grant of this process that is passed on behind one key in etcd: no comparison there can tell
 * one such grant from the next. It sees to it here that a write guarded by an earlier one does not
 * arrive after the next began.
 */
export interface LocalGrant {
  /** The fence's key. Reading `fence.key` counts as handing it to another process; this does not. */
  readonly key: string;
  /** Whether the grant stands now by the clock. */
  isValid(): boolean;
  /** Counts `write` as under way until it is settled for certain; one that may yet be applied rejects. */
  guard<T>(write: () => Promise<T>): Promise<T>;
}

/** Under this a fence of this process's own carries its grant. */
export const LOCAL_GRANT = Symbol('nestjs-etcd-coordination:local grant');

/** The grant behind a fence, if it is one of this process that must be asked; otherwise null. */
export function localGrantOf(fence: Fence): LocalGrant | null {
  return (fence as { [LOCAL_GRANT]?: LocalGrant })[LOCAL_GRANT] ?? null;
}
