import type { IKeyValue } from 'etcd3';
import { configLayersPrefix, unescapeSegment } from '../client/keys.js';
import { prefixRange } from '../watch/key-range.js';
import type { ConfigEntry, ConfigLayerEntry } from './config-change.js';
import { readDeclaration } from './config-declarations.js';
import { formatReady, parseDocument } from './config-document.js';
import { placeAtFault } from './config-evaluator.js';
import type { ConfigGround } from './config-ground.js';
import { layerAt, layersFor, type ConfigLayer } from './config-layer.js';
import { mergeDocuments } from './config-merge.js';
import type { ConfigDeclaration, ConfigFormat, ConfigOptions } from './config-options.js';
import { SCHEMA_TIMEOUT_MS, validateConfig } from './config-schema.js';

type ReadGround = Pick<ConfigGround, 'client' | 'namespace' | 'identity' | 'declarations'>;

const KINDS = ['shared', 'service', 'zone', 'instance'];

/** A configuration as etcd holds it now. See `ConfigStore.get`. */
export async function readConfig<T>(
  { client, namespace, identity, declarations }: ReadGround,
  key: string,
  settings: ConfigOptions<T> & { readonly layers?: 'own' | 'all' },
): Promise<ConfigEntry<T>> {
  // What is no object is refused with a sentence.
  readDeclaration(key, settings);
  const { layers: wanted = 'own', ...options } = settings;
  const given = readDeclaration(key, options);
  const declared = declarations.get(key) as ConfigDeclaration<T> | undefined;
  const schema = given.schema ?? declared?.schema;
  const format = options.format ?? declared?.format ?? given.format;
  await formatReady(format);
  const prefix = configLayersPrefix(namespace, key);
  const { key: from, rangeEnd } = prefixRange(prefix);
  const { kvs, header } = await client.range({ key: from, range_end: rangeEnd! });

  const own = layersFor(identity);
  const found = kvs.flatMap((kv) => {
    const layer = layerOf(prefix, kv);
    const isOwn = layer !== null && own.includes(layer);
    return layer !== null && (isOwn || wanted === 'all')
      ? [readLayer(key, layer, kv, format, isOwn)]
      : [];
  });
  found.sort((a, b) => byLayer(a.layer, b.layer));
  const mine = found.filter(({ layer }) => own.includes(layer));
  const value =
    mine.length === 0
      ? given.default
      : await validateConfig(
          schema,
          mergeDocuments(mine.map((entry) => entry.value)),
          (path) => placeAtFault(key, mine, path),
          SCHEMA_TIMEOUT_MS,
          client.clock,
        );
  return { key, value, revision: BigInt(header.revision), layers: found };
}

function readLayer(
  key: string,
  layer: ConfigLayer,
  { value, mod_revision }: IKeyValue,
  format: ConfigFormat,
  isOwn: boolean,
): ConfigLayerEntry {
  const revision = BigInt(mod_revision);
  const read = () => parseDocument(value, format, { key, layer, revision });
  return { layer, document: value.toString(), value: isOwn ? read() : orUndefined(read), revision };
}

/** What others have wrong is theirs. */
function orUndefined(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function layerOf(prefix: string, { key }: IKeyValue): ConfigLayer | null {
  const path = key.toString().slice(prefix.length).split('/').map(unescapeSegment);
  return path.every((part) => part !== null) ? layerAt(path) : null;
}

function byLayer(a: ConfigLayer, b: ConfigLayer): number {
  const rank = (layer: ConfigLayer) => KINDS.indexOf(layer.split(':', 1)[0]!);
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}
