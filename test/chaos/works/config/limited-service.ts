import { Injectable } from '@nestjs/common';
import type { ConfigChange } from '../../../../libs/etcd-coordination/src/config/config-change.js';
import { WatchConfig } from '../../../../libs/etcd-coordination/src/config/watch-config.decorator.js';
import { DEFAULT_LIMITS, LIMITS, type Limits, LimitsSchema } from './limits.js';

const OPTIONS = { schema: LimitsSchema, default: DEFAULT_LIMITS };

/** A class of an application that lives by a configuration. */
@Injectable()
export class LimitedService {
  @WatchConfig(LIMITS, OPTIONS)
  readonly limits!: Limits;

  private readonly early: ConfigChange<Limits>[] = [];
  private listener: (change: ConfigChange<Limits>) => void = (change) => {
    this.early.push(change);
  };

  @WatchConfig(LIMITS, OPTIONS)
  changed(_limits: Limits, change: ConfigChange<Limits>): void {
    this.listener(change);
  }

  /** Tells of every change, those before included. */
  tell(listener: (change: ConfigChange<Limits>) => void): void {
    this.listener = listener;
    for (const change of this.early.splice(0)) listener(change);
  }
}
