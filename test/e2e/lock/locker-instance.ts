import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import type { Fence } from '../../../libs/etcd-coordination/src/context/fence.js';
import { LockService } from '../../../libs/etcd-coordination/src/lock/lock.service.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { EtcdTransactions } from '../../../libs/etcd-coordination/src/transaction/etcd-transactions.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import type { WriteGuard } from '../../support/lock-history.js';
import { connect } from '../watch/connect.js';

export const NAMESPACE = 'e2e';
/** What all contend for. */
export const LOCK = 'contended';
/** Under it each guarded write leaves a key of its own, so that etcd keeps the order of all of them. */
export const WRITES = 'written-under-the-lock/';

/** What a process of an application that locks holds, without Nest around it. */
export class LockerInstance {
  private readonly transactions: EtcdTransactions;

  private constructor(
    private readonly client: EtcdClient,
    private readonly session: EtcdSession,
    private readonly watch: WatchHub,
    readonly locks: LockService,
  ) {
    this.transactions = new EtcdTransactions({ client, namespace: NAMESPACE, session });
  }

  static async start(
    id: string,
    endpoints: readonly string[],
    ttlSeconds: number,
  ): Promise<LockerInstance> {
    const client = await connect(endpoints);
    const session = new EtcdSession(client, { ttlSeconds });
    try {
      await session.start();
    } catch (error) {
      await client.close();
      throw error;
    }
    const watch = new WatchHub(client);
    const locks = new LockService({
      client,
      session,
      watch,
      namespace: NAMESPACE,
      instanceId: id,
    });
    return new LockerInstance(client, session, watch, locks);
  }

  /**
   * Leaves the token under a key of its own, if etcd finds the fence standing.
   *
   * @throws StaleFenceError if `fenced` refuses, or etcd does
   */
  async write(guard: WriteGuard, fence: Fence, write: string): Promise<boolean> {
    const token = fence.token.toString();
    if (guard === 'fenced') {
      await this.transactions.fenced(fence).put(WRITES + write, token);
      return true;
    }
    const { etcd } = this.client;
    const { succeeded } = await etcd
      .if(fence.key, 'Create', '==', fence.revision.toString())
      .then(etcd.put(`${NAMESPACE}/${WRITES}${write}`).value(token))
      .commit();
    return succeeded;
  }

  /** As the module closes it. */
  async close(drainTimeoutMs: number): Promise<void> {
    await this.locks.drain(drainTimeoutMs);
    await this.locks.close();
    await this.transactions.close();
    await this.session.close();
    await this.watch.close();
    await this.client.close();
  }
}
