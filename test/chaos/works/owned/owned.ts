import type { WriteGuard } from '../../check/ownership.js';

/** Something that a process owns for a while, whatever the system: a lock's grant, a term of leadership. */
export interface Owned {
  /** Such as `lock/hot`. */
  readonly of: string;
  /** Decimal. */
  readonly token: string;
  /** Whether others who share it may own it at the same time, as readers do. */
  readonly shared?: boolean;
  isValid(): boolean;
  isAborted(): boolean;
  /** Why it was lost, once it was. */
  lossReason(): string;
  /** The ways in which it can guard a write, at least one. */
  readonly guards: readonly WriteGuard[];
  /** Leaves the token under a key; false if the guard refused it. Rejects if that is not known. */
  write(guard: WriteGuard, key: string): Promise<boolean>;
  /** Whether an error of `write` says for certain that nothing was written. */
  refuses(error: unknown): boolean;
}

/** The key that a guarded write leaves, below the namespace: each has one of its own, so that etcd keeps them all. */
export function writtenKey(of: string, write: string): string {
  return `written/${of}/${write}`;
}
