import type { ServiceInstance } from '../registry/service-instance.js';
import type { ServicePool } from '../discovery/service-pool.js';
import { InstanceClient, type InstanceClientSettings } from './instance-client.js';
import { ClosedClientError } from './microservices.errors.js';

/** A client of one instance, and how many messages wait for it. */
interface Entry {
  readonly client: InstanceClient;
  inUse: number;
  /** Whether the instance has gone: it is closed as soon as it is not used. */
  isGone: boolean;
}

/** The clients of a pool's instances: each is made when its instance is first chosen, and closed when that goes. */
export class InstanceClients {
  private readonly entries = new Map<string, Entry>();
  private readonly following: { unsubscribe(): void };
  private closed = false;

  constructor(
    private readonly pool: ServicePool,
    private readonly settings: Pick<InstanceClientSettings, 'connectTimeoutMs' | 'tcp'>,
  ) {
    this.following = pool.instances$.subscribe((instances) => this.keepOnly(instances));
  }

  /** By the addresses of the instances. */
  get open(): ReadonlyMap<string, InstanceClient> {
    return new Map([...this.entries].map(([address, { client }]) => [address, client]));
  }

  /**
   * Uses the client of an instance. Call `release` when it is not used any more.
   *
   * @throws {ClosedClientError} once they are closed
   */
  use({ address, host, port }: ServiceInstance): { client: InstanceClient; release: () => void } {
    if (this.closed) throw new ClosedClientError(this.pool.service);
    let entry = this.entries.get(address);
    if (!entry) {
      const client = new InstanceClient({ ...this.settings, host, port });
      this.entries.set(address, (entry = { client, inUse: 0, isGone: false }));
    }
    const used = entry;
    used.inUse += 1;
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      used.inUse -= 1;
      this.closeIfDone(address, used);
    };
    return { client: used.client, release };
  }

  /** Closes all connections; what waits for an answer fails. */
  close(): void {
    this.closed = true;
    this.following.unsubscribe();
    for (const { client } of this.entries.values()) client.close();
    this.entries.clear();
  }

  private keepOnly(instances: readonly ServiceInstance[]): void {
    const addresses = new Set(instances.map(({ address }) => address));
    for (const [address, entry] of this.entries) {
      entry.isGone = !addresses.has(address);
      this.closeIfDone(address, entry);
    }
  }

  private closeIfDone(address: string, entry: Entry): void {
    if (!entry.isGone || entry.inUse > 0) return;
    this.entries.delete(address);
    entry.client.close();
  }
}
