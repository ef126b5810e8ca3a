import {
  parseRegistryRest,
  registryPrefix,
} from '../../../../libs/etcd-coordination/src/client/keys.js';
import type { ServiceDiscovery } from '../../../../libs/etcd-coordination/src/discovery/service.discovery.js';
import { EtcdCluster } from '../../../support/etcd-cluster.js';
import { freePort } from '../../../support/free-port.js';
import { waitFor } from '../../../support/wait-for.js';
import { WorkerProcess } from '../../../support/worker-process.js';
import { NAMESPACE, recordsOf, type StandingRecord } from '../../registry/member.js';
import { Caller, type CallerReport } from './caller.js';
import type { CallerOrder, Calling } from './calling.js';
import { SERVICE, TTL_SECONDS } from './fleet-options.js';

/** A process of the service that is called. */
export interface StockInstance {
  readonly id: string;
  readonly address: string;
  readonly worker: WorkerProcess;
}

/** An etcd, instances of a service in processes of their own, and two who call it: one here, one elsewhere. */
export class Fleet {
  instances: readonly StockInstance[] = [];
  private started = 0;

  private constructor(
    readonly cluster: EtcdCluster,
    readonly here: { discovery: ServiceDiscovery; calling: Calling },
    /** The one here is the first. */
    readonly callers: readonly Caller[],
  ) {}

  static async start(line: string, size: number): Promise<Fleet> {
    const cluster = await EtcdCluster.start({ line, size });
    const { caller, ...here } = await Caller.here(cluster.endpoints, 'here');
    const elsewhere = await Caller.elsewhere(cluster.endpoints, 'elsewhere');
    return new Fleet(cluster, here, [caller, elsewhere]);
  }

  /** Starts instances until there are so many; resolves when all callers know them. */
  async fill(count: number): Promise<void> {
    while (this.instances.length < count) this.instances = [...this.instances, await this.add()];
    for (const { worker } of this.instances) {
      // On a busy machine many start at once.
      await worker.message('listening', { timeoutMs: 60_000 });
    }
    await this.isListed();
  }

  /** Resolves when every caller lists the instances that there are, all of them up. */
  async isListed(): Promise<void> {
    const ids = this.instances.map(({ id }) => id).sort();
    const listed = ({ list }: Caller) => list.map(({ id, state }) => `${id} ${state}`).join();
    await waitFor(
      () => this.callers.every((caller) => listed(caller) === ids.map((id) => `${id} up`).join()),
      {
        timeoutMs: 30_000,
        what: () => `${ids.join()} to be up, not ${this.callers.map(listed).join(' and ')}`,
      },
    );
  }

  /** Takes one out of {@link instances}: it is to be ended. */
  takeOne(): StockInstance {
    const [taken, ...rest] = this.instances as [StockInstance, ...StockInstance[]];
    this.instances = rest;
    return taken;
  }

  begin(order: CallerOrder): void {
    for (const caller of this.callers) caller.begin(order);
  }

  /** What each caller has done, once the last call has ended. */
  end(): Promise<CallerReport[]> {
    return Promise.all(this.callers.map((caller) => caller.end()));
  }

  get failures(): unknown[] {
    return this.callers.flatMap(({ failures }) => failures);
  }

  /** Resolves when the caller here has had so many more answers. */
  async moreCalls(count: number): Promise<void> {
    const { calling } = this.here;
    const until = calling.calls + count;
    await waitFor(() => calling.calls >= until, { what: 'calls to be answered' });
  }

  /** What etcd has of the service, in the order of the ids. */
  async records(): Promise<(StandingRecord & { id: string })[]> {
    const prefix = registryPrefix(NAMESPACE, SERVICE);
    const records = (await recordsOf(this.endpoint, SERVICE)).map((record) => ({
      ...record,
      id: parseRegistryRest(record.key.slice(prefix.length))!.instanceId,
    }));
    return records.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** A member's own address, past its proxy. */
  get endpoint(): string {
    return this.cluster.members[0]!.server.endpoint;
  }

  async stop(): Promise<void> {
    await Promise.all(this.instances.map(({ worker }) => worker.kill()));
    await Promise.all(this.callers.map((caller) => caller.close()));
    await this.cluster.stop();
  }

  private async add(): Promise<StockInstance> {
    const [id, port] = [`stock-${(this.started += 1)}`, await freePort()];
    const args = [this.cluster.endpoints.join(), id, `${port}`];
    const worker = await WorkerProcess.start(new URL('./stock.worker.ts', import.meta.url), {
      args,
    });
    return { id, address: `http://127.0.0.1:${port}`, worker };
  }
}

export const TTL_MS = TTL_SECONDS * 1000;
