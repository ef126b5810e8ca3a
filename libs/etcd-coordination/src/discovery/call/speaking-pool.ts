import { NoInstanceError } from '../discovery.errors.js';
import type { ServiceInstance, ServiceProtocol } from '../../registry/service-instance.js';
import type { Attempt, BeginOptions, ServicePool } from '../service-pool.js';

/** What of a pool a call needs. */
export type CallablePool = Pick<ServicePool, 'service' | 'isReady' | 'ready' | 'begin'>;

/** The instances of a pool that speak certain protocols; the others are never chosen. */
export class SpeakingPool implements CallablePool {
  /** Of which list {@link others} is. */
  private list: readonly ServiceInstance[] | null = null;
  private others: ReadonlySet<string> = new Set();

  constructor(
    private readonly pool: CallablePool & Pick<ServicePool, 'instances'>,
    private readonly protocols: readonly ServiceProtocol[],
  ) {}

  get service(): string {
    return this.pool.service;
  }

  get isReady(): boolean {
    return this.pool.isReady;
  }

  ready(signal?: AbortSignal): Promise<void> {
    return this.pool.ready(signal);
  }

  /** @throws {NoInstanceError} also if those that could take a call speak other protocols */
  begin(options: BeginOptions = {}): Attempt {
    const others = this.otherIds();
    if (others.size === 0) return this.pool.begin(options);
    if (others.size === this.list?.length) throw this.noneSpeaks(this.list);
    const { exclude } = options;
    return this.pool.begin({
      ...options,
      exclude: exclude && exclude.size > 0 ? new Set([...exclude, ...others]) : others,
    });
  }

  /** Worked out once for each list: a call costs no walk through it. */
  private otherIds(): ReadonlySet<string> {
    const list = this.pool.instances();
    if (list !== this.list) {
      this.list = list;
      const others = list.filter(({ protocol }) => !this.protocols.includes(protocol));
      this.others = new Set(others.map(({ id }) => id));
    }
    return this.others;
  }

  private noneSpeaks(list: readonly ServiceInstance[]): NoInstanceError {
    const spoken = [...new Set(list.map(({ protocol }) => protocol))].join(', ');
    const wanted = this.protocols.join(' or ');
    return new NoInstanceError(
      this.service,
      `its instances speak ${spoken}, and ${wanted} is needed; register them with an address that begins with ${this.protocols[0]}://`,
    );
  }
}
