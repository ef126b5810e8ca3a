import { EtcdCoordinationError } from '../client/coordination.error.js';

/** A property with `@WatchConfig` was assigned. The value that it has stands. */
export class ConfigReadOnlyError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    property: string,
  ) {
    super(
      'CONFIG_READ_ONLY',
      `${property} cannot be assigned: @WatchConfig keeps it at the value of the configuration ${JSON.stringify(key)}. Change the configuration with ConfigStore.set(), or copy the value to change it for yourself.`,
    );
  }
}
