import { randomBytes } from 'node:crypto';
import type { MonotonicClock } from '../../client/clock.js';
import { EtcdStatus } from '../etcd-status.js';
import { type Key, type LeaseId, NO_LEASE } from '../store/key-value.js';
import type { LeaseAttachments } from '../store/mvcc-store.js';

/** 1.5 × etcd's default election timeout of 1 s, in whole seconds. */
export const MIN_TTL_SECONDS = 2;

const MAX_TTL_SECONDS = 9_000_000_000;

/** Node's timers count in 31 bits; a later deadline is looked at again then. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface Lease {
  readonly id: LeaseId;
  /** The granted time to live, in seconds. */
  readonly ttl: number;
  /** On the clock, in milliseconds. */
  readonly expiresAt: number;
  readonly keys: ReadonlySet<Key>;
}

interface MutableLease extends Lease {
  expiresAt: number;
  readonly keys: Set<Key>;
}

/** Deletes the keys of a lease that ended, as one write. */
export type KeyDeleter = (keys: readonly Key[]) => void;

/**
 * Grants, renews and ends leases, and knows which keys hang on them. A lease
 * ends as soon as its time is up, where etcd may take half a second more.
 */
export class Lessor implements LeaseAttachments {
  private readonly leases = new Map<LeaseId, MutableLease>();
  private deleteKeys: KeyDeleter = () => undefined;
  private timer: { readonly at: number; readonly cancel: () => void } | undefined;

  constructor(private readonly clock: MonotonicClock) {}

  /** Says how keys are deleted; the store that does it needs the lessor first. */
  onEnd(deleteKeys: KeyDeleter): void {
    this.deleteKeys = deleteKeys;
  }

  has(id: LeaseId): boolean {
    return this.leases.has(id);
  }

  get(id: LeaseId): Lease | undefined {
    return this.leases.get(id);
  }

  /** The leases that stand, the first to expire first. */
  all(): readonly Lease[] {
    return this.byDeadline();
  }

  /** Milliseconds until the lease ends unless it is renewed. */
  remainingMs(lease: Lease): number {
    return lease.expiresAt - this.clock.now();
  }

  /**
   * @param id the id wanted, or 0 to have one chosen
   * @throws EtcdStatus if the id is taken or the TTL is over 9,000,000,000 s
   */
  grant(id: LeaseId, ttlSeconds: number): Lease {
    if (ttlSeconds > MAX_TTL_SECONDS) throw EtcdStatus.leaseTtlTooLarge();
    if (this.leases.has(id)) throw EtcdStatus.leaseExists();
    const ttl = Math.max(ttlSeconds, MIN_TTL_SECONDS);
    const lease: MutableLease = {
      id: id === NO_LEASE ? this.freeId() : id,
      ttl,
      expiresAt: this.clock.now() + ttl * 1000,
      keys: new Set(),
    };
    this.leases.set(lease.id, lease);
    this.schedule(lease.expiresAt);
    return lease;
  }

  /** Starts a lease's time anew. Returns its TTL, or 0 if there is no such lease any more. */
  renew(id: LeaseId): number {
    // The timer may be late; a lease whose time is up must not come back to life.
    this.endExpired();
    const lease = this.leases.get(id);
    if (!lease) return 0;
    lease.expiresAt = this.clock.now() + lease.ttl * 1000;
    this.schedule(lease.expiresAt);
    return lease.ttl;
  }

  /** As a new leader of the cluster does: every lease begins its time anew. */
  renewAll(): void {
    for (const { id } of this.byDeadline()) this.renew(id);
  }

  /** @throws EtcdStatus if there is no such lease */
  revoke(id: LeaseId): void {
    const lease = this.leases.get(id);
    if (!lease) throw EtcdStatus.leaseNotFound();
    this.end(lease);
  }

  reattach(key: Key, from: LeaseId, to: LeaseId): void {
    if (from === to) return;
    this.leases.get(from)?.keys.delete(key);
    this.leases.get(to)?.keys.add(key);
  }

  /** Stops the clock: nothing expires any more. */
  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private end(lease: MutableLease): void {
    this.leases.delete(lease.id);
    this.deleteKeys([...lease.keys].sort());
  }

  private endExpired(): void {
    const now = this.clock.now();
    for (const lease of this.byDeadline()) {
      if (lease.expiresAt > now) return;
      this.end(lease);
    }
  }

  /** Has one timer run to the earliest deadline. A renewal leaves it be: it will look again. */
  private schedule(at: number): void {
    if (this.timer && this.timer.at <= at) return;
    this.timer?.cancel();
    const delay = Math.min(Math.max(at - this.clock.now(), 0), LONGEST_TIMER_MS);
    const cancel = this.clock.setTimer(() => {
      this.timer = undefined;
      this.endExpired();
      const [next] = this.byDeadline();
      if (next) this.schedule(next.expiresAt);
    }, Math.ceil(delay));
    this.timer = { at, cancel };
  }

  private byDeadline(): MutableLease[] {
    return [...this.leases.values()].sort((a, b) => a.expiresAt - b.expiresAt);
  }

  private freeId(): LeaseId {
    for (;;) {
      const id = BigInt.asUintN(63, randomBytes(8).readBigUInt64BE());
      if (id !== NO_LEASE && !this.leases.has(id)) return id;
    }
  }
}
