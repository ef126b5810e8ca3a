import { every } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { Claim } from './claim.js';

/** How often etcd is asked, in milliseconds, and how old a claim must be: an answer can be that late. */
const INTERVAL_MS = 5000;

/**
 * Notices that somebody has deleted the key of a lock that this process holds and nobody waits for,
 * so that no watch tells: one call asks for all keys on the lease, however many they are.
 */
export class LockCheck {
  private cancelTimer: (() => void) | null = null;
  private asking = false;

  constructor(
    private readonly client: EtcdClient,
    private readonly session: EtcdSession,
    /** The claims that nobody else sees after. */
    private readonly unobserved: () => Iterable<Claim>,
    /** Its key is gone. */
    private readonly gone: (claim: Claim) => void,
  ) {}

  /** Asks from now on. */
  start(): void {
    this.cancelTimer ??= every(this.client.clock, INTERVAL_MS, () => void this.check(), {
      unref: true,
    });
  }

  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private async check(): Promise<void> {
    const { lease } = this.session;
    const before = this.client.clock.now() - INTERVAL_MS;
    const old = [...this.unobserved()].filter(
      (claim) => claim.lease === lease && claim.state === 'granted' && claim.since < before,
    );
    if (!lease || old.length === 0 || this.asking) return;
    this.asking = true;
    try {
      const { keys } = await this.client.leaseTimeToLive(lease.id, undefined, true);
      const standing = new Set(keys.map((key) => key.toString()));
      for (const claim of old) if (!standing.has(claim.key)) this.gone(claim);
    } catch {
      // The next one asks again; what a lost lease costs, the session tells.
    } finally {
      this.asking = false;
    }
  }
}
