import { Logger } from '@nestjs/common';
import { pause } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { ClientClosedError, EtcdNoSpaceError } from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { retryDelay } from '../client/retry-delay.js';
import { LATE_ENTRY_MS, type InstanceEntry } from './instance-entry.js';
import type { OwnKeyView } from './own-key-view.js';

const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };
/** After what only somebody else can put right. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };

/** Told of each attempt that failed, and whether asking again at once cannot help. */
type Failed = (isFinal: boolean) => void;

/** Takes a registration's key away, and whatever of it may yet be put. */
export class InstanceRemoval {
  private readonly logger = new Logger('ServiceRegistry');

  constructor(
    private readonly client: EtcdClient,
    private readonly entry: InstanceEntry,
    private readonly view: OwnKeyView,
  ) {}

  /**
   * Says `farewell`, and deletes the key however often it takes. Resolves when it is gone, or is
   * certain to go with its lease; or after one attempt if `hurries`, or if etcd refuses it: that is
   * tried again for as long as the lease lasts, and may be long. Never rejects.
   */
  async remove(farewell: Buffer, hurries: () => boolean): Promise<void> {
    if (!this.entry.mayStand) return this.view.close();
    await new Promise<void>((resolve) => {
      const failed: Failed = (isFinal) => {
        if (isFinal || hurries()) resolve();
      };
      void this.removeAll(farewell, failed).then(resolve);
    });
  }

  private async removeAll(farewell: Buffer, failed: Failed): Promise<void> {
    await this.say(farewell, failed);
    await this.delete(failed);
    if (this.entry.mayComeLate && this.entry.lease?.isValid()) this.awaitLate();
    else this.view.close();
  }

  /** Those who see the key go know by this that it was no crash. */
  private async say(farewell: Buffer, failed: Failed): Promise<void> {
    const { entry } = this;
    if (!entry.lease?.isValid() || entry.says(farewell, entry.lease)) return;
    try {
      if (entry.createRevision === null) await entry.look();
      await entry.change(farewell);
    } catch (error) {
      // It matters less than that the key goes, and that works in a full database.
      if (!(error instanceof EtcdNoSpaceError)) failed(isFinalFailure(error));
    }
  }

  private async delete(failed: Failed): Promise<void> {
    const { entry } = this;
    for (let attempt = 1; entry.lease?.isValid(); attempt++) {
      try {
        return await entry.withdraw();
      } catch (error) {
        if (error instanceof ClientClosedError) return;
        const isFinal = isFinalFailure(error);
        if (attempt === 1) {
          const when = isFinal
            ? 'that is tried again now and then until its lease ends'
            : 'it is tried again';
          this.logger.warn(`The key ${entry.key} cannot be deleted yet, ${when}: ${String(error)}`);
        }
        failed(isFinal);
        const delay = retryDelay(attempt, isFinal ? RETRY_SLOWLY : RETRY);
        await pause(this.client.clock, delay, entry.lease.signal).catch(() => undefined);
      }
    }
  }

  /** A request to put the key whose answer was lost may yet be applied, and nobody would know the key. */
  private awaitLate(): void {
    const { signal } = this.entry.lease!;
    const over = () => {
      cancel();
      unsubscribe();
      signal.removeEventListener('abort', over);
      this.view.close();
    };
    const cancel = this.client.clock.setTimer(over, LATE_ENTRY_MS, { unref: true });
    const look = () => {
      const { shown } = this.view;
      if (shown && this.entry.isOwn(shown)) void this.delete(() => undefined);
    };
    const unsubscribe = this.view.subscribe(look);
    // It may have been seen while the deletion was under way.
    look();
    signal.addEventListener('abort', over, { once: true });
  }
}
