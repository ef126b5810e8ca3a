import { Logger } from '@nestjs/common';
import type { EtcdClient } from '../client/etcd-client.js';
import { deleteUnchanged } from '../client/unchanged-delete.js';
import type { QueueEntry } from './queue-entry.js';

/** After a deletion that failed, in milliseconds. */
const AGAIN_MS = 1000;

/**
 * Takes away what has a lock and belongs to nobody any more, as somebody has put something over it.
 * Whoever waits does so: it is deleted once, however many try.
 */
export class OrphanRemoval {
  private readonly logger = new Logger('LockService');
  /** What was last asked to be deleted: it is shown until the watch tells that it is gone. */
  private removing: string | null = null;

  constructor(
    private readonly client: EtcdClient,
    /** Looks again. */
    private readonly again: () => void,
  ) {}

  /** Looks at those who have the lock: the first so many. */
  look(entries: readonly QueueEntry[], reach: number): void {
    const orphan = entries.slice(0, Math.max(1, reach)).find((entry) => entry.orphan);
    if (!orphan || this.removing === orphan.kv.mod_revision) return;
    this.removing = orphan.kv.mod_revision;
    this.logger.warn(
      `The key ${orphan.key} was put over by somebody and is on nobody's lease any more; deleting it.`,
    );
    deleteUnchanged(this.client, orphan.kv).catch((error: unknown) => {
      this.logger.warn(`It cannot be deleted yet, it is tried again: ${String(error)}`);
      const again = () => {
        this.removing = null;
        this.again();
      };
      this.client.clock.setTimer(again, AGAIN_MS, { unref: true });
    });
  }
}
