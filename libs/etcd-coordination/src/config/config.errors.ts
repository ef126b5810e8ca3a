import { EtcdCoordinationError } from '../client/coordination.error.js';

/** No layer of a configuration can be called that. */
export class InvalidConfigLayerError extends EtcdCoordinationError {
  constructor(layer: unknown) {
    super(
      'INVALID_CONFIG_LAYER',
      `${JSON.stringify(layer) ?? String(layer)} is no layer of a configuration: give "shared", "service:<name>", "zone:<name>" or "instance:<id>".`,
    );
  }
}
