import { expect } from 'vitest';
import { Fleet } from '../../libs/etcd-coordination/src/discovery/fleet.js';
import type { BeginOptions } from '../../libs/etcd-coordination/src/discovery/service-pool.js';
import { readDiscoveryOptions } from '../../libs/etcd-coordination/src/discovery/validate-discovery-options.js';
import type { ServiceInstance } from '../../libs/etcd-coordination/src/registry/service-instance.js';
import { SeededRandom } from './seeded-random.js';
import { serviceInstance } from './service-instances.js';

/** A fleet and its clock. */
export class FleetStage {
  now = 0;
  readonly fleet: Fleet;
  private readonly known = new Map<string, ServiceInstance>();

  constructor(options: object = {}, zone: string | null = null, instanceId = 'me') {
    const random = new SeededRandom(7);
    const owner = { instanceId, zone, random: () => random.next() };
    this.fleet = new Fleet(owner, readDiscoveryOptions(options));
  }

  list(...instances: ServiceInstance[]): this {
    this.change(instances, true);
    return this;
  }

  change(instances: (ServiceInstance | string)[], isList = false): void {
    const changes = instances.map((after) => {
      const id = typeof after === 'string' ? after : after.id;
      const before = this.known.get(id) ?? null;
      if (typeof after === 'string') this.known.delete(id);
      else this.known.set(id, after);
      return { id, before, after: typeof after === 'string' ? null : after };
    });
    this.fleet.apply({ changes, isList }, this.now);
  }

  choose(options?: BeginOptions): string | null {
    return this.fleet.choose(options, this.now)?.id ?? null;
  }

  /** How often each was chosen. */
  count(times: number, options?: BeginOptions): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let time = 0; time < times; time += 1) {
      const id = String(this.choose(options));
      counts[id] = (counts[id] ?? 0) + 1;
    }
    return counts;
  }

  /** A call of that instance, which has to be chosen by force: all others are excluded. */
  call(id: string, how: 'succeeded' | 'failed' | 'abandoned', tookMs = 5, why?: unknown): void {
    const others = new Set([...this.known.keys()].filter((other) => other !== id));
    const candidate = this.fleet.choose({ exclude: others, strategy: 'random' }, this.now)!;
    expect(candidate.id).toBe(id);
    this.fleet.began(candidate, this.now);
    this.now += tookMs;
    this.fleet.ended(candidate, how, this.now - tookMs, this.now, why);
  }

  fail(id: string, times = 5): void {
    for (let time = 0; time < times; time += 1) this.call(id, 'failed');
  }
}

/** Instances that can take calls. */
export function up(...ids: string[]): ServiceInstance[] {
  return ids.map((id) => serviceInstance(id));
}
