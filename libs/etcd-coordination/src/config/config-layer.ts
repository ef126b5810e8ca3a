import { LONE_SURROGATE } from '../client/keys.js';
import type { ConfigIdentity } from './config-identity.js';
import { InvalidConfigLayerError } from './config.errors.js';

/**
 * One of the documents that make up a configuration, and whom it is for. They are merged in this
 * order, each over those before it: `shared`, the service's, the zone's, the instance's.
 */
export type ConfigLayer = 'shared' | `service:${string}` | `zone:${string}` | `instance:${string}`;

const KINDS = ['service', 'zone', 'instance'] as const;

/** The path of a layer in keys. @throws {InvalidConfigLayerError} if it is none */
export function layerPath(layer: ConfigLayer): readonly string[] {
  if (layer === 'shared') return [layer];
  const text: unknown = layer;
  if (typeof text !== 'string') throw new InvalidConfigLayerError(text);
  const [kind, name] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)];
  if (!(KINDS as readonly string[]).includes(kind) || name === '' || LONE_SURROGATE.test(name)) {
    throw new InvalidConfigLayerError(text);
  }
  return [kind, name];
}

/** The layer that has such a path, or null if none has. */
export function layerAt(path: readonly string[]): ConfigLayer | null {
  if (path.length === 1 && path[0] === 'shared') return 'shared';
  const [kind, name] = path;
  if (path.length !== 2 || !name || !(KINDS as readonly (string | undefined)[]).includes(kind)) {
    return null;
  }
  return `${kind}:${name}` as ConfigLayer;
}

/** The layers that an instance merges, in their order. */
export function layersFor({ service, zone, instanceId }: ConfigIdentity): readonly ConfigLayer[] {
  return [
    'shared',
    ...(service === undefined ? [] : [`service:${service}` as const]),
    ...(zone === undefined ? [] : [`zone:${zone}` as const]),
    `instance:${instanceId}`,
  ];
}
