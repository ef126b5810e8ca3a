import { LOCK_HOLD_SEGMENT } from '../client/keys.js';
import { LeaseExistsError } from '../client/etcd.errors.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { randomLeaseId } from '../session/lease-id.js';
import type { Claim } from './claim.js';

/**
 * The key that keeps a lock from everybody for a span from its grant on, as ShedLock's
 * `lockAtLeastFor` does. It stands on a lease of its own that nobody keeps alive, so that it outlives
 * its holder and ends by etcd's clock alone.
 */
export class HoldKey {
  private cancelTimer: (() => void) | undefined;
  private readonly until: number;

  private constructor(
    private readonly client: EtcdClient,
    private readonly leaseId: string,
    ms: number,
    /** When it was granted, on the monotonic clock. */
    grantedAt: number,
  ) {
    this.until = grantedAt + ms;
  }

  /**
   * Puts it for a claim that was granted. Null if the claim is gone.
   *
   * @throws what etcd refuses it with
   */
  static async put(
    client: EtcdClient,
    prefix: string,
    claim: Claim,
    ms: number,
  ): Promise<HoldKey | null> {
    const grantedAt = client.clock.now();
    const lease = randomLeaseId();
    // Counted from later than the grant, and in whole seconds: never too short.
    await client.leaseGrant(lease, Math.ceil(ms / 1000)).catch((error: unknown) => {
      // Asked for again, as the answer was lost.
      if (!(error instanceof LeaseExistsError)) throw error;
    });
    const { key } = claim;
    const create_revision = claim.revision!.toString();
    const standing = { target: 'Create', result: 'Equal', create_revision } as const;
    const { succeeded } = await client.txn(
      {
        compare: [{ ...standing, key: Buffer.from(key) }],
        success: [
          {
            request_put: {
              ...{ key: Buffer.from(prefix + LOCK_HOLD_SEGMENT), value: Buffer.from(key) },
              lease,
            },
          },
        ],
        failure: [],
      },
      // Put twice under one lease it is what it was.
      { repeatable: true, timeoutMs: client.options.timeouts.registration },
    );
    if (succeeded) return new HoldKey(client, lease, ms, grantedAt);
    await client.leaseRevoke(lease).catch(() => undefined);
    return null;
  }

  /** Calls `done` when the span is over and the key is gone. If etcd is away then, it goes with its lease. */
  end(done: () => void): void {
    const { clock } = this.client;
    this.cancelTimer = clock.setTimer(
      () => {
        void this.client.leaseRevoke(this.leaseId).then(done, done);
      },
      Math.max(0, this.until - clock.now()),
      { unref: true },
    );
  }

  /** Takes it away before the span is over. Never rejects: etcd ends it then. */
  async cancel(): Promise<void> {
    this.cancelTimer?.();
    await this.client.leaseRevoke(this.leaseId).catch(() => undefined);
  }

  /** Leaves the rest of the span to etcd. */
  leave(): void {
    this.cancelTimer?.();
  }
}
