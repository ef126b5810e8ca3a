import type { IKeyValue } from 'etcd3';
import {
  featurePrefix,
  parseKey,
  unescapeSegment,
} from '../../libs/etcd-coordination/src/client/keys.js';
import { layerAt, type ConfigLayer } from '../../libs/etcd-coordination/src/config/config-layer.js';
import { prefixRange } from '../../libs/etcd-coordination/src/watch/key-range.js';
import type { Connection } from './connection.js';

/** A layer that has a document. */
export interface StoredLayer {
  readonly key: string;
  readonly layer: ConfigLayer;
  readonly revision: bigint;
  /** Empty if only keys were asked for. */
  readonly document: Buffer;
}

const LAYERS = 'live/layer/';

/** Every layer of every configuration that has a document, without the documents. */
export async function listLayers({ client, namespace }: Connection): Promise<StoredLayer[]> {
  const { key, rangeEnd } = prefixRange(featurePrefix(namespace, 'config'));
  const { kvs } = await client.range({ key, range_end: rangeEnd!, keys_only: true });
  return inOrder(kvs.flatMap((kv) => storedLayer(namespace, kv) ?? []));
}

/** The layers under a configuration's prefix, and etcd's revision when they were read. */
export async function readStored(
  { client, namespace }: Connection,
  prefix: string,
): Promise<{ readonly layers: StoredLayer[]; readonly revision: bigint }> {
  const { key, rangeEnd } = prefixRange(prefix);
  const { kvs, header } = await client.range({ key, range_end: rangeEnd! });
  const layers = inOrder(kvs.flatMap((kv) => storedLayer(namespace, kv) ?? []));
  return { layers, revision: BigInt(header.revision) };
}

const KINDS = ['shared', 'service', 'zone', 'instance'];

/** In the order in which they are merged; otherwise as etcd has them. */
function inOrder(layers: StoredLayer[]): StoredLayer[] {
  const rank = ({ layer }: StoredLayer) => KINDS.indexOf(layer.split(':')[0]!);
  return layers.toSorted((a, b) => rank(a) - rank(b));
}

function storedLayer(namespace: string, kv: IKeyValue): StoredLayer | null {
  const parsed = parseKey(namespace, kv.key.toString());
  if (!parsed?.rest.startsWith(LAYERS)) return null;
  const path = parsed.rest.slice(LAYERS.length).split('/').map(unescapeSegment);
  const layer = path.includes(null) ? null : layerAt(path as string[]);
  if (layer === null) return null;
  return { key: parsed.name, layer, revision: BigInt(kv.mod_revision), document: kv.value };
}
