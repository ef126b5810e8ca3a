import '../watch/quiet.js';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { instanceKey, verdictKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { ServiceDiscovery } from '../../../libs/etcd-coordination/src/discovery/service.discovery.js';
import { readDiscoveryOptions } from '../../../libs/etcd-coordination/src/discovery/validate-discovery-options.js';
import type { ServiceInstance } from '../../../libs/etcd-coordination/src/registry/service-instance.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from '../watch/connect.js';

export const NAMESPACE = 'e2e';

/** A process that calls others, without Nest around it. */
export class Consumer {
  private constructor(
    readonly client: EtcdClient,
    readonly watch: WatchHub,
    readonly discovery: ServiceDiscovery,
  ) {}

  static async start(endpoint: string, options: object = {}): Promise<Consumer> {
    const client = await connect(endpoint);
    const watch = new WatchHub(client);
    const discovery = new ServiceDiscovery({
      client,
      watch,
      namespace: NAMESPACE,
      instanceId: 'consumer',
      options: readDiscoveryOptions(options),
    });
    await discovery.open();
    return new Consumer(client, watch, discovery);
  }

  ids(service: string): string[] {
    return this.discovery.instances(service).map(({ id }) => id);
  }

  async waitForIds(service: string, ids: readonly string[]): Promise<void> {
    await waitFor(() => this.ids(service).join() === [...ids].sort().join(), {
      what: () => `${ids.join()} in the list, which is ${this.ids(service).join()}`,
      timeoutMs: 20_000,
    });
  }

  async close(): Promise<void> {
    await this.discovery.close();
    await this.watch.close();
    await this.client.close();
  }
}

/** Every list that a consumer was shown. */
export class ListLog {
  readonly lists: (readonly ServiceInstance[])[] = [];
  isComplete = false;

  constructor({ discovery }: Consumer, service: string) {
    discovery.instances$(service).subscribe({
      next: (list) => this.lists.push(list),
      complete: () => (this.isComplete = true),
    });
  }

  get sizes(): number[] {
    return this.lists.map((list) => list.length);
  }
}

/** What a process would write of itself, put past the library. */
export async function putInstance(
  endpoint: string,
  service: string,
  id: string,
  some: object = {},
  lease?: string,
): Promise<void> {
  const record = { v: 1, id, address: 'http://10.0.0.1:3000', state: 'up', ...some };
  await put(endpoint, instanceKey(NAMESPACE, service, id), JSON.stringify(record), lease);
}

export async function putVerdict(
  endpoint: string,
  service: string,
  id: string,
  source: string,
  verdict: object,
): Promise<void> {
  await put(endpoint, verdictKey(NAMESPACE, service, id, source), JSON.stringify(verdict));
}

async function put(endpoint: string, key: string, value: string, lease?: string): Promise<void> {
  using etcd = rawEtcd(endpoint);
  const request = { key: Buffer.from(key), value: Buffer.from(value) };
  await etcd.client.kv.put(lease ? { ...request, lease } : request);
}

/** Registers many, each on a lease of its own, of so many seconds, that nobody keeps alive. */
export async function putFleet(
  endpoint: string,
  service: string,
  ids: readonly string[],
  ttlSeconds: number,
): Promise<void> {
  using etcd = rawEtcd(endpoint);
  const { leaseClient, kv } = etcd.client;
  await Promise.all(
    ids.map(async (id) => {
      const { ID: lease } = await leaseClient.leaseGrant({ TTL: `${ttlSeconds}`, ID: '0' });
      const record = { v: 1, id, address: 'http://10.0.0.1:3000', state: 'up' };
      const key = Buffer.from(instanceKey(NAMESPACE, service, id));
      await kv.put({ key, value: Buffer.from(JSON.stringify(record)), lease });
    }),
  );
}
