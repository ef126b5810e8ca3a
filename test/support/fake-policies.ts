import type { PolicyNumbers } from '../../libs/etcd-coordination/src/traffic/resilience/live-policy.js';
import { readPolicy } from '../../libs/etcd-coordination/src/traffic/resilience/policy-kind.js';
import type {
  Policy,
  PolicyOptions,
} from '../../libs/etcd-coordination/src/traffic/resilience/policy.js';
import type { Policies } from '../../libs/etcd-coordination/src/traffic/resilience/resilience.service.js';
import { UnknownTrafficNameError } from '../../libs/etcd-coordination/src/traffic/traffic.errors.js';

/** Policies whose numbers a test turns, where `LiveDocuments` follow those in etcd. */
export class FakePolicies implements Policies {
  private readonly numbers = new Map<string, FakeNumbers>();

  constructor(declared: Readonly<Record<string, PolicyOptions>>) {
    for (const [name, options] of Object.entries(declared)) {
      this.numbers.set(name, new FakeNumbers(name, readPolicy(options)));
    }
  }

  get names(): readonly string[] {
    return [...this.numbers.keys()];
  }

  of(name: string, by?: string): PolicyNumbers {
    const numbers = this.numbers.get(name);
    if (!numbers) throw new UnknownTrafficNameError('policy', name, this.names, by);
    return numbers;
  }

  /** Its numbers are others from here on. */
  turn(name: string, options: PolicyOptions): void {
    this.numbers.get(name)!.turn(readPolicy(options));
  }
}

class FakeNumbers implements PolicyNumbers {
  private readonly listeners = new Set<(value: Policy) => void>();

  constructor(
    readonly name: string,
    public value: Policy,
  ) {}

  turn(value: Policy): void {
    this.value = value;
    for (const listener of this.listeners) listener(value);
  }

  onChange(listener: (value: Policy) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
