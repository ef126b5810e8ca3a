import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Etcd3 } from 'etcd3';
import { firstValueFrom, skip } from 'rxjs';
import { instanceKey } from '../../libs/etcd-coordination/src/client/keys.js';
import type { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import { ServiceDiscovery } from '../../libs/etcd-coordination/src/discovery/service.discovery.js';
import type { ChooseStrategy } from '../../libs/etcd-coordination/src/discovery/service-pool.js';
import { WatchHub } from '../../libs/etcd-coordination/src/watch/watch-hub.js';
import type { Measure } from './alternate.js';
import { LibraryInstance } from './library.js';

const INSTANCES = 10_000;
/** So many puts go into one transaction. */
const AT_ONCE = 100;
const CHOICES = 200_000;
const NAMESPACE = 'bench/registry';
const SERVICE = 'large';

/** What a service of 10,000 instances costs one who follows it, and chooses among them. */
export class RegistryMeasures {
  private readonly hub: TimedHub;
  private readonly discovery: ServiceDiscovery;
  private readonly etcd: Etcd3;
  private lease: string | null = null;

  /** On a connection of its own, whose requests are counted. */
  static async start(endpoint: string): Promise<RegistryMeasures> {
    return new RegistryMeasures(endpoint, await LibraryInstance.connect(endpoint));
  }

  private constructor(
    endpoint: string,
    private readonly client: EtcdClient,
  ) {
    this.etcd = new Etcd3({ hosts: endpoint });
    this.hub = new TimedHub(client);
    this.discovery = this.discover(this.hub);
  }

  get all(): Measure[] {
    return [
      this.alone('first list', 'ms', 10, 500, () => this.firstList()),
      this.alone('memory of one who follows it', 'MB', 5, 60, () => this.memory()),
      this.alone('a change, applied and shown', 'ms', 50, 1, () => this.change()),
      this.alone('requests of a change', 'requests', 5, 0, () => this.requestsOfChange()),
      this.choice('round-robin', 1),
      this.choice('power-of-two', 3),
      this.choice('rendezvous'),
    ];
  }

  async close(): Promise<void> {
    await this.discovery.close();
    await this.hub.close();
    if (this.lease) await this.etcd.leaseClient.leaseRevoke({ ID: this.lease });
    this.etcd.close();
    await this.client.close();
  }

  private async firstList(): Promise<number> {
    await this.fill();
    const discovery = this.discover(this.hub);
    const start = performance.now();
    await discovery.ready(SERVICE);
    const took = performance.now() - start;
    if (discovery.instances(SERVICE).length !== INSTANCES) throw new Error('Some are missing.');
    await discovery.close();
    return took;
  }

  private async memory(): Promise<number> {
    await this.fill();
    const discovery = this.discover(this.hub);
    const before = usedBytes();
    await discovery.ready(SERVICE);
    discovery.choose(SERVICE);
    const used = usedBytes() - before;
    if (discovery.instances(SERVICE).length !== INSTANCES) throw new Error('Some are missing.');
    await discovery.close();
    return used / 2 ** 20;
  }

  /** From the event to the new list, with one who is shown every list, and the next choice. */
  private async change(): Promise<number> {
    await this.fill();
    await this.discovery.ready(SERVICE);
    await this.changeOne();
    const start = performance.now();
    this.discovery.choose(SERVICE);
    return this.hub.lastMs + performance.now() - start;
  }

  /** What changes is told by the watch: nothing is listed anew. */
  private async requestsOfChange(): Promise<number> {
    await this.fill();
    await this.discovery.ready(SERVICE);
    const before = this.client.requestsSent;
    await this.changeOne();
    return this.client.requestsSent - before;
  }

  /** Until one who is shown every list has the new one. */
  private async changeOne(): Promise<void> {
    // The first that is shown is the present list.
    const shown = firstValueFrom(this.discovery.instances$(SERVICE).pipe(skip(1)));
    this.hub.lastMs = 0;
    const id = idOf(Math.floor(Math.random() * INSTANCES));
    const state = Math.random() < 0.5 ? 'up' : 'draining';
    await this.etcd.kv.put({
      key: Buffer.from(instanceKey(NAMESPACE, SERVICE, id)),
      value: Buffer.from(recordOf(id, state)),
      lease: this.lease!,
    });
    await shown;
  }

  private choice(strategy: ChooseStrategy, atMost?: number): Measure {
    const options = { strategy, hashKey: 'a key' };
    const times = strategy === 'rendezvous' ? CHOICES / 1000 : CHOICES;
    return this.alone(`a choice, ${strategy}`, 'µs', 20, atMost, async () => {
      await this.fill();
      await this.discovery.ready(SERVICE);
      const pool = this.discovery.pool(SERVICE);
      pool.choose(options);
      const start = performance.now();
      for (let time = 0; time < times; time += 1) pool.choose(options);
      return ((performance.now() - start) * 1000) / times;
    });
  }

  private alone(
    what: string,
    unit: string,
    rounds: number,
    atMost: number | undefined,
    run: () => Promise<number>,
  ): Measure {
    return {
      title: `a service of ${INSTANCES} instances: ${what}`,
      unit,
      rounds,
      contenders: [{ name: 'discovery', run }],
      ...(atMost !== undefined && { atMost }),
    };
  }

  private discover(watch: WatchHub): ServiceDiscovery {
    const { client } = this;
    return new ServiceDiscovery({ client, watch, namespace: NAMESPACE, instanceId: 'bench' });
  }

  private async fill(): Promise<void> {
    if (this.lease) return;
    const { kv, leaseClient } = this.etcd;
    const { ID: lease } = await leaseClient.leaseGrant({ TTL: '3600', ID: '0' });
    this.lease = lease;
    for (let first = 0; first < INSTANCES; first += AT_ONCE) {
      const ids = Array.from({ length: AT_ONCE }, (_, index) => idOf(first + index));
      const success = ids.map((id) => ({
        request_put: {
          key: Buffer.from(instanceKey(NAMESPACE, SERVICE, id)),
          value: Buffer.from(recordOf(id, 'up')),
          lease,
        },
      }));
      await kv.txn({ compare: [], success, failure: [] });
    }
  }
}

/** Tells how long the last events took all who follow them. */
class TimedHub extends WatchHub {
  lastMs = 0;

  override watch(...[range, from, handlers]: Parameters<WatchHub['watch']>) {
    return super.watch(range, from, {
      ...handlers,
      events: (events) => {
        const start = performance.now();
        handlers.events(events);
        this.lastMs = performance.now() - start;
      },
    });
  }
}

function idOf(index: number): string {
  return `large-${index.toString(36)}-${(index * 7919).toString(16)}`;
}

function recordOf(id: string, state: string): string {
  return JSON.stringify({
    v: 1,
    id,
    address: `http://10.0.${id.length}.17:3000`,
    zone: null,
    weight: 1,
    version: '1.4.2',
    metadata: { region: 'eu-west', image: 'sha256:0123456789abcdef' },
    probe: {
      kind: 'http',
      port: null,
      target: '/health',
      intervalMs: 5000,
      timeoutMs: 1000,
      failures: 3,
      passes: 2,
    },
    state,
    reason: null,
    by: id,
    mark: `${id}-mark`,
  });
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function usedBytes(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
