import { Logger } from '@nestjs/common';
import type { IMemberListResponse } from 'etcd3';
import type { Caller } from './caller.js';
import type { ClientOptions } from './client-options.js';
import type { MonotonicClock } from './clock.js';
import { Endpoint } from './endpoint.js';
import { parseEndpoint, type EndpointAddress } from './endpoint-address.js';
import type { EndpointPool } from './endpoint-pool.js';

type Member = IMemberListResponse['members'][number];

const PROBE_TIMEOUT_MS = 1000;

/**
 * Keeps the endpoints in step with the cluster's member list.
 *
 * A member that joined is used once one of the addresses it advertises has answered
 * from here, for an advertised address need not be one that this process can reach. A
 * member that left is dropped. An address that was configured is dropped only while no
 * member of the cluster answers there, and taken back when one does.
 */
export class EndpointSync {
  private readonly logger = new Logger(EndpointSync.name);
  private cancelTimer: (() => void) | undefined;
  private stopped = false;
  /** The addresses that were configured, in use or not. */
  seeds: readonly EndpointAddress[] = [];

  constructor(
    private readonly options: ClientOptions,
    private readonly clock: MonotonicClock,
    private readonly pool: EndpointPool,
    private readonly caller: Caller,
    /** Ends what still runs over an endpoint that is no longer in use. */
    private readonly leave: (endpoint: Endpoint) => void,
  ) {}

  /** Looks at once, and then every `endpointSyncInterval` milliseconds, give or take a tenth. */
  start(): void {
    if (this.options.endpointSyncInterval > 0) void this.run();
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
  }

  private async run(): Promise<void> {
    try {
      await this.synchronize();
    } catch (error) {
      if (!this.stopped) {
        this.logger.debug(`The member list could not be read, it is tried again: ${String(error)}`);
      }
    }
    if (this.stopped) return;
    const jitter = 0.9 + Math.random() * 0.2;
    const delay = this.options.endpointSyncInterval * jitter;
    this.cancelTimer = this.clock.setTimer(() => void this.run(), delay);
  }

  private async synchronize(): Promise<void> {
    const { members } = await this.caller.call<IMemberListResponse>('Cluster', 'memberList', {});
    const present = new Set(members.map((m) => m.ID));
    const used = new Set(this.pool.all.map((e) => e.address.url));
    const seeds = this.seeds.filter(({ url }) => !used.has(url)).map((seed) => this.open(seed));
    const doubtful = this.pool.all.filter((e) => e.memberId === null || !present.has(e.memberId));
    await Promise.all([...doubtful, ...seeds].map((endpoint) => this.probe(endpoint)));

    const kept = this.pool.all.filter((e) => e.memberId === null || present.has(e.memberId));
    const added: Endpoint[] = [];
    const served = new Set(kept.map((e) => e.memberId));
    const take = (endpoint: Endpoint | null) => {
      const { memberId } = endpoint ?? {};
      if (endpoint && memberId && present.has(memberId) && !served.has(memberId)) {
        served.add(memberId);
        added.push(endpoint);
      } else {
        endpoint?.close();
      }
    };
    seeds.forEach(take);
    const missing = members.filter((m) => !served.has(m.ID) && !m.isLearner);
    const found = await Promise.all(missing.map((member) => this.reach(member)));
    found.forEach(take);
    if (this.stopped) return added.forEach((endpoint) => endpoint.close());

    const dropped = this.pool.replace([...kept, ...added]);
    for (const endpoint of dropped) this.leave(endpoint);
    for (const { address } of added) this.logger.log(`Endpoint ${address.url} joined the cluster.`);
    for (const { address } of dropped) this.logger.log(`Endpoint ${address.url} left the cluster.`);
  }

  private async reach(member: Member): Promise<Endpoint | null> {
    const secure = this.pool.all[0]!.address.secure;
    for (const url of member.clientURLs) {
      const address = tryParse(url);
      if (address?.secure !== secure) continue;
      const endpoint = this.open(address);
      await this.probe(endpoint);
      if (endpoint.memberId === member.ID) return endpoint;
      endpoint.close();
    }
    return null;
  }

  private open(address: EndpointAddress): Endpoint {
    return new Endpoint(address, this.clock, this.options.credentials);
  }

  private async probe(endpoint: Endpoint): Promise<void> {
    await this.caller.probe(endpoint, PROBE_TIMEOUT_MS).catch(() => undefined);
  }
}

function tryParse(url: string) {
  try {
    return parseEndpoint(url);
  } catch {
    return null;
  }
}
