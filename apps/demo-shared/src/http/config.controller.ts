import { Controller, Get, Inject } from '@nestjs/common';
import { type ConfigSource, ConfigStore, WatchConfig } from 'nestjs-etcd-coordination';
import { type Prices, PRICES, PRICES_OPTIONS } from '../config/prices.config.js';
import {
  RECONCILER_OPTIONS,
  RECONCILER_SETTINGS,
  type ReconcilerSettings,
} from '../config/reconciler.config.js';
import { DEMO_SETTINGS, type DemoSettings } from '../settings.js';

/** One configuration, as this process has it. */
export interface ConfigurationView<T = unknown> {
  readonly key: string;
  /** Left out for limits, policies and switches, of which `GET /traffic` tells. */
  readonly value: T;
  /** Where the value comes from; `snapshot` if etcd could not be asked since the start. */
  readonly source: ConfigSource | null;
  /** etcd's revision of the value's newest document, a decimal bigint; 0 if it has none. */
  readonly revision: string;
  /** How old, in milliseconds, the knowledge is that this is what etcd holds; null if there is none. */
  readonly ageMs: number | null;
  /** The last push, if it was refused: the value is then that of the good one before it. */
  readonly rejected: {
    readonly layer: string | null;
    readonly revision: string;
    readonly message: string;
  } | null;
  /** The release that is under way. */
  readonly release: { readonly id: string; readonly isCanary: boolean } | null;
}

/** The configurations of one process. */
export interface ConfigView {
  readonly instanceId: string;
  readonly configurations: readonly ConfigurationView[];
}

/** `GET /config`: what this process goes by, and where it has it from. Asks nobody. */
@Controller('config')
export class ConfigController {
  @WatchConfig(PRICES, PRICES_OPTIONS)
  private readonly prices!: Prices;

  @WatchConfig(RECONCILER_SETTINGS, RECONCILER_OPTIONS)
  private readonly reconciler!: ReconcilerSettings;

  constructor(
    private readonly configs: ConfigStore,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  @Get()
  view(): ConfigView {
    const values: Record<string, unknown> = {
      [PRICES]: this.prices,
      [RECONCILER_SETTINGS]: this.reconciler,
    };
    const configurations = this.configs
      .status()
      .map(({ key, source, revision, ageMs, rejected, release }) => ({
        key,
        value: values[key],
        source,
        revision: revision.toString(),
        ageMs: Number.isFinite(ageMs) ? Math.round(ageMs) : null,
        rejected: rejected && {
          layer: rejected.layer,
          revision: rejected.revision.toString(),
          message: rejected.error.message,
        },
        release,
      }));
    return { instanceId: this.settings.instanceId, configurations };
  }
}
