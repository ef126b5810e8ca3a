import type { EtcdClient } from '../client/etcd-client.js';
import { configLayerKey } from '../client/keys.js';
import { parseDocument } from './config-document.js';
import type { ConfigIdentity } from './config-identity.js';
import { layerPath, layersFor, type ConfigLayer } from './config-layer.js';
import type { ConfigFormat } from './config-options.js';
import { ConfigInvalidError } from './config.errors.js';

/** Where the layers of a configuration are, and how they are written. */
export interface LayersPlace {
  readonly client: EtcdClient;
  readonly namespace: string;
  readonly key: string;
  readonly format: ConfigFormat;
}

const KINDS = ['shared', 'service', 'zone', 'instance'];

/**
 * The layers, in merging order, of somebody who reads `layer`: this instance's own ones if it
 * does; else those of its own that are wider, for what a stranger merges above is not known.
 */
export function layersReadWith(identity: ConfigIdentity, layer: ConfigLayer): ConfigLayer[] {
  const own = layersFor(identity);
  if (own.includes(layer)) return [...own];
  return [...own.filter((other) => rank(other) < rank(layer)), layer];
}

/**
 * What the documents say that are there of these layers, in their order, at one revision. One that
 * cannot be read is passed over: it is refused wherever it is read, and whoever mends a
 * configuration layer by layer must be able to begin.
 */
export async function readLayers(
  { client, namespace, key, format }: LayersPlace,
  layers: readonly ConfigLayer[],
): Promise<Map<ConfigLayer, unknown>> {
  const values = new Map<ConfigLayer, unknown>();
  if (layers.length === 0) return values;
  const { responses } = await client.txn({
    compare: [],
    success: layers.map((layer) => ({
      request_range: { key: Buffer.from(configLayerKey(namespace, key, layerPath(layer))) },
    })),
    failure: [],
  });
  layers.forEach((layer, index) => {
    const [found] = responses[index]?.response_range?.kvs ?? [];
    if (!found) return;
    try {
      const place = { key, layer, revision: BigInt(found.mod_revision) };
      values.set(layer, parseDocument(found.value, format, place));
    } catch (error) {
      if (!(error instanceof ConfigInvalidError)) throw error;
    }
  });
  return values;
}

function rank(layer: ConfigLayer): number {
  return KINDS.indexOf(layer.split(':', 1)[0]!);
}
