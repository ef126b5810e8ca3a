import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { retryDelay } from '../client/retry-delay.js';
import type { SessionLease } from '../session/session-lease.js';
import { PredecessorWatch } from './predecessor-watch.js';
import type { ResolvedRegistration } from './registration-options.js';
import { DuplicateInstanceError } from './registry.errors.js';

/** Between two looks at one who has the id already. */
const LOOK_MS = 500;
/** Between two looks at one who has taken the place of what stood. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };

/** What is to be done about somebody else's record: it is put over at once, or looked at again later. */
export type CollisionFate =
  { readonly kind: 'stray' } | { readonly kind: 'taken'; readonly waitMs: number };

/** What a registration finds in its place that is not its own, and what is to become of that. */
export class Collisions {
  private readonly logger = new Logger('ServiceRegistry');
  private readonly predecessor: PredecessorWatch;
  /** Looks since somebody else was found in the place of what stood. */
  private looks = 0;
  /** What may be put over: it is nobody's. */
  private stray: IKeyValue | undefined;

  constructor(
    client: EtcdClient,
    private readonly of: Pick<ResolvedRegistration, 'service' | 'id'>,
  ) {
    this.predecessor = new PredecessorWatch(client);
  }

  /** What the next put may go over, once. */
  takeStray(): IKeyValue | undefined {
    const { stray } = this;
    this.stray = undefined;
    return stray;
  }

  /** The place is the registration's own. */
  over(): void {
    this.looks = 0;
  }

  /**
   * Judges what stands there.
   *
   * @param stood whether the registration has stood there before
   * @throws {DuplicateInstanceError} if it never did, and the other one lives; and what the look at
   *   that one's lease fails with
   */
  async judge(by: IKeyValue, lease: SessionLease, stood: boolean): Promise<CollisionFate> {
    // What is on this process's own lease, or was put over a key that stood, is nobody's.
    if (by.lease === lease.id || (stood && by.lease === '0')) return this.putOver(by);
    if (stood) return this.waitForOther();
    const fate = await this.predecessor.look(by);
    if (fate === 'alive') throw new DuplicateInstanceError(this.of.service, this.of.id);
    return fate === 'stray' ? this.putOver(by) : { kind: 'taken', waitMs: LOOK_MS };
  }

  private putOver(by: IKeyValue): CollisionFate {
    this.stray = by;
    return { kind: 'stray' };
  }

  private waitForOther(): CollisionFate {
    this.looks += 1;
    if (this.looks === 1) {
      const { service, id } = this.of;
      this.logger.error(
        `Another process has been registered as the instance "${id}" of the service "${service}" while this one was away; give each process an "instanceId" of its own. This one is registered again once the other is gone.`,
      );
    }
    return { kind: 'taken', waitMs: retryDelay(this.looks, RETRY_SLOWLY) };
  }
}
