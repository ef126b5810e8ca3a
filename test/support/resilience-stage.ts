import { beforeEach } from 'vitest';
import type { PolicyOptions } from '../../libs/etcd-coordination/src/traffic/resilience/policy.js';
import { Resilience } from '../../libs/etcd-coordination/src/traffic/resilience/resilience.service.js';
import { FakePolicies } from './fake-policies.js';
import { VirtualClock } from './virtual-clock.js';

/** What stands around calls in a test, anew for each one of a file that calls {@link onResilienceStage}. */
export let clock: VirtualClock;
export let policies: FakePolicies;
export let resilience: Resilience;

export function onResilienceStage(): void {
  beforeEach(() => {
    clock = new VirtualClock();
  });
}

/** Declares the policy "stock", whose pauses are as long as they can be. */
export function declare(options: PolicyOptions): void {
  policies = new FakePolicies({ stock: options });
  resilience = new Resilience(policies, { clock, random: () => 1 });
}

/** A function that each call gives the next of these: an error fails it, a promise is what it is. */
export function answers(...given: unknown[]): (() => Promise<unknown>) & { calls: number } {
  const work = async () => {
    const next = given[Math.min(work.calls, given.length - 1)];
    work.calls += 1;
    if (next instanceof Error) throw next;
    return await next;
  };
  work.calls = 0;
  return work;
}

/** What never answers. */
export const never = new Promise<never>(() => undefined);

export const down = new Error('down');
