import { Agent, get, type Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import type { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import { instanceKey } from '../../libs/etcd-coordination/src/client/keys.js';
import { ServiceDiscovery } from '../../libs/etcd-coordination/src/discovery/service.discovery.js';
import type { ChooseStrategy } from '../../libs/etcd-coordination/src/discovery/service-pool.js';
import { encodeInstanceRecord } from '../../libs/etcd-coordination/src/registry/instance-record.js';
import { WatchHub } from '../../libs/etcd-coordination/src/watch/watch-hub.js';
import type { Measure } from './alternate.js';
import { LibraryInstance } from './library.js';
import { startBusyServer } from './busy-server.js';

const NAMESPACE = 'bench/slow-instance';
const SERVICE = 'stock';
const SERVICE_MS = [10, 10, 10, 10, 100];
/** The slow one could take 40 a second, so a fifth of these keeps it three quarters busy. */
const CALLS_PER_SECOND = 150;
const CALLS = 200;
const ROUNDS = 5;
const CONTENDERS: readonly ChooseStrategy[] = ['round-robin', 'power-of-two'];

/**
 * Calls of a service of five, one of which takes ten times as long: all sent at their moments,
 * whether or not those before were answered. Each round begins without knowing who is slow.
 */
export class SlowInstance {
  private readonly agent = new Agent({ keepAlive: true });
  /** Of the rounds whose 99th percentiles were measured. */
  private readonly medians = new Map<ChooseStrategy, number[]>();

  private constructor(
    private readonly client: EtcdClient,
    private readonly hub: WatchHub,
    private readonly servers: readonly Server[],
  ) {}

  static async start(endpoint: string): Promise<SlowInstance> {
    const client = await LibraryInstance.connect(endpoint);
    const servers = await Promise.all(SERVICE_MS.map(startBusyServer));
    const lease = client.etcd.lease(3600, { autoKeepAlive: false });
    for (const [index, server] of servers.entries()) {
      const { port } = server.address() as AddressInfo;
      await lease
        .put(instanceKey(NAMESPACE, SERVICE, `${index}`))
        .value(recordOf(`http://127.0.0.1:${port}`, port));
    }
    return new SlowInstance(client, new WatchHub(client), servers);
  }

  get all(): Measure[] {
    return [
      {
        ...this.measure('99th percentile', (strategy) => this.slowest(strategy)),
        atMostRatio: 1,
      },
      this.measure('median of the same calls', (strategy) => this.median(strategy)),
    ];
  }

  async close(): Promise<void> {
    this.agent.destroy();
    for (const server of this.servers) server.close();
    await this.client.etcd.delete().prefix(`${NAMESPACE}/`);
    await this.hub.close();
    await this.client.close();
  }

  private measure(what: string, run: (strategy: ChooseStrategy) => Promise<number>): Measure {
    return {
      title: `${CALLS} calls of five instances, one of them ten times slower: ${what}`,
      unit: 'ms',
      rounds: ROUNDS,
      contenders: CONTENDERS.map((strategy) => ({ name: strategy, run: () => run(strategy) })),
    };
  }

  private async slowest(strategy: ChooseStrategy): Promise<number> {
    const took = await this.callAll(strategy);
    const medians = this.medians.get(strategy) ?? [];
    this.medians.set(strategy, [...medians, quantile(took, 0.5)]);
    return quantile(took, 0.99);
  }

  private async median(strategy: ChooseStrategy): Promise<number> {
    return this.medians.get(strategy)?.shift() ?? quantile(await this.callAll(strategy), 0.5);
  }

  private async callAll(strategy: ChooseStrategy): Promise<number[]> {
    const { client, hub } = this;
    const discovery = new ServiceDiscovery({
      client,
      watch: hub,
      namespace: NAMESPACE,
      instanceId: 'bench',
    });
    await discovery.ready(SERVICE);
    const start = performance.now();
    const calls: Promise<number>[] = [];
    for (let sent = 0; sent < CALLS; sent += 1) {
      const at = start + (sent * 1000) / CALLS_PER_SECOND;
      while (performance.now() < at) await pause(1);
      calls.push(this.call(discovery, strategy, at));
    }
    const took = await Promise.all(calls);
    await discovery.close();
    return took;
  }

  /** From the moment at which it was due: a caller that is late makes nobody wait less. */
  private async call(
    discovery: ServiceDiscovery,
    strategy: ChooseStrategy,
    due: number,
  ): Promise<number> {
    await discovery.call(SERVICE, ({ address }) => this.request(address), { strategy });
    return performance.now() - due;
  }

  private request(address: string): Promise<void> {
    return new Promise((resolve, reject) => {
      get(address, { agent: this.agent }, (answer) => {
        answer.on('end', resolve).on('error', reject).resume();
      }).on('error', reject);
    });
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1]!;
}

function recordOf(address: string, port: number): Buffer {
  return encodeInstanceRecord({
    address,
    protocol: 'http',
    host: '127.0.0.1',
    port,
    zone: null,
    weight: 1,
    version: null,
    metadata: {},
    probe: null,
    state: 'up',
    reason: null,
    by: 'bench',
    mark: address,
  });
}
