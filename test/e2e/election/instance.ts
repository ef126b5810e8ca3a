import type { ClientOptions } from '../../../libs/etcd-coordination/src/client/client-options.js';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { ElectionService } from '../../../libs/etcd-coordination/src/election/election.service.js';
import type { LeaderTerm } from '../../../libs/etcd-coordination/src/election/leader-term.js';
import { LockService } from '../../../libs/etcd-coordination/src/lock/lock.service.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { connect } from '../watch/connect.js';

export const NAMESPACE = 'e2e';

export interface InstanceOptions extends Partial<ClientOptions> {
  readonly ttlSeconds?: number;
}

/** What one process of an application holds of one connection, without Nest around it. */
export class Instance {
  private constructor(
    readonly id: string,
    readonly client: EtcdClient,
    readonly session: EtcdSession,
    readonly watch: WatchHub,
    readonly elections: ElectionService,
    readonly locks: LockService,
  ) {}

  static async start(
    id: string,
    endpoints: string | readonly string[],
    { ttlSeconds = 10, ...options }: InstanceOptions = {},
  ): Promise<Instance> {
    const client = await connect(endpoints, options);
    const session = new EtcdSession(client, { ttlSeconds });
    const watch = new WatchHub(client);
    const parts = { client, session, watch, namespace: NAMESPACE, instanceId: id };
    const elections = new ElectionService(parts);
    const locks = new LockService(parts);
    try {
      await session.start();
    } catch (error) {
      await client.close();
      throw error;
    }
    return new Instance(id, client, session, watch, elections, locks);
  }

  /** The lease's id as its keys have it. */
  get leaseHex(): string {
    return BigInt(this.session.lease!.id).toString(16);
  }

  /** As the module closes it. */
  async close(drainTimeoutMs = 0): Promise<void> {
    await this.locks.drain(drainTimeoutMs);
    await this.elections.withdraw();
    await this.elections.handOver(drainTimeoutMs);
    await this.locks.close();
    await this.session.close();
    await this.watch.close();
    await this.client.close();
  }
}

/** Every term that an instance had, in order, and how each began and ended. */
export class TermLog {
  readonly terms: LeaderTerm[] = [];
  /** `null` and epochs as `term$` told them. */
  readonly told: (bigint | null)[] = [];

  constructor(instance: Instance, election: string) {
    instance.elections.term$(election).subscribe((term) => {
      this.told.push(term?.epoch ?? null);
      if (term) this.terms.push(term);
    });
  }

  /** Epochs of the terms so far. */
  get epochs(): bigint[] {
    return this.terms.map((term) => term.epoch);
  }

  /** The term that stands now. */
  get standing(): LeaderTerm | undefined {
    return this.terms.find((term) => term.isValid());
  }
}

/** The instances' ids in the order of the queue, as etcd has it. */
export async function queueOf(endpoint: string, election: string): Promise<string[]> {
  const keys = await keysUnder(endpoint, prefixOf(election));
  return keys.map(({ value }) => (JSON.parse(value) as { id: string }).id);
}

export function prefixOf(election: string): string {
  return `${NAMESPACE}/election/${election}/`;
}
