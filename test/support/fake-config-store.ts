import { Subject } from 'rxjs';
import type { ConfigChange } from '../../libs/etcd-coordination/src/config/config-change.js';
import { differences } from '../../libs/etcd-coordination/src/config/config-diff.js';
import { ConfigNotReadyError } from '../../libs/etcd-coordination/src/config/config.errors.js';
import type { ConfigStore } from '../../libs/etcd-coordination/src/config/config.store.js';
import { WatchedConfig } from '../../libs/etcd-coordination/src/config/watched-config.js';

class FakeConfig extends WatchedConfig {
  readonly changes = new Subject<ConfigChange>();
  readonly changes$ = this.changes;
  readonly value$ = new Subject<unknown>();
  private now: ConfigChange | null = null;

  constructor(readonly key: string) {
    super();
  }

  get value(): unknown {
    return this.present().value;
  }

  present(): ConfigChange {
    if (!this.now) throw new ConfigNotReadyError(this.key);
    return {
      ...this.now,
      previous: undefined,
      differences: [{ path: [], type: 'added', after: this.now.value }],
    };
  }

  push(value: unknown): void {
    const previous = this.now?.value;
    this.now = {
      key: this.key,
      value,
      previous,
      differences: differences(previous, value),
      revision: (this.now?.revision ?? 0n) + 1n,
      source: 'etcd',
    };
    this.changes.next(this.now);
  }

  status(): never {
    throw new Error('Nobody asks a fake for its status.');
  }

  ready(): Promise<void> {
    return this.now ? Promise.resolve() : Promise.reject(new ConfigNotReadyError(this.key));
  }
}

/** A store whose configurations are what the test says. */
export class FakeConfigStore {
  private readonly configs = new Map<string, FakeConfig>();

  /** As the decorators want it. */
  get asStore(): ConfigStore {
    return this as unknown as ConfigStore;
  }

  /** How many listen to changes. */
  get listeners(): number {
    return [...this.configs.values()].filter(({ changes }) => changes.observed).length;
  }

  set(key: string, value: unknown): void {
    this.follow(key).push(value);
  }

  follow(key: string): FakeConfig {
    let config = this.configs.get(key);
    if (!config) this.configs.set(key, (config = new FakeConfig(key)));
    return config;
  }

  async watch(key: string): Promise<FakeConfig> {
    const config = this.follow(key);
    await config.ready();
    return config;
  }
}
