import { configLayersPrefix } from '../../../libs/etcd-coordination/src/client/keys.js';
import {
  formatReady,
  parseDocument,
} from '../../../libs/etcd-coordination/src/config/config-document.js';
import { LayerHistory } from '../../../libs/etcd-coordination/src/config/config-history.js';
import { layerPath, layersFor } from '../../../libs/etcd-coordination/src/config/config-layer.js';
import { mergeDocuments } from '../../../libs/etcd-coordination/src/config/config-merge.js';
import type { ConfigFormat } from '../../../libs/etcd-coordination/src/config/config-options.js';
import { ConfigInvalidError } from '../../../libs/etcd-coordination/src/config/config.errors.js';
import { assertConfigName } from '../../../libs/etcd-coordination/src/config/config-name.js';
import type { Call, Command } from '../command.js';
import { listLayers, readStored, type StoredLayer } from '../stored.js';
import { moment } from '../terminal.js';
import { didYouMean, RefusedError, UsageError } from '../usage.js';

/** Shows a configuration. */
export const getCommand: Command = {
  name: 'get',
  words: ['<key>'],
  options: ['layer', 'service', 'zone', 'instance', 'format'],
  does: 'Shows the value that an instance reads, and the layers with their revisions. With --layer, that document alone, as it was written.',
  examples: [
    'get prices',
    'get limits --service demo-orders --zone eu --instance orders-1',
    'get prices --layer shared > prices.json',
    'get prices --json',
  ],
  check: (_, options) => {
    const merging = (['service', 'zone', 'instance'] as const).find((name) => options.has(name));
    if (!options.has('layer') || !merging) return;
    throw new UsageError(`--layer shows one document alone, and --${merging} merges; give one.`);
  },
  async run(call) {
    const { terminal, namespace, options, words } = call;
    const key = words[0]!;
    assertConfigName(key);
    const layer = options.layer();
    if (layer !== undefined) layerPath(layer);
    const { layers: stored, revision } = await readStored(call, configLayersPrefix(namespace, key));
    if (stored.length === 0) throw await missing(call, key);
    if (layer !== undefined) return showLayer(call, key, stored);
    const versions = await newestVersions(call, stored);
    const format =
      options.format() ?? versions.find((newest) => newest?.format)?.format ?? ('json' as const);
    await formatReady(format);
    const reads = layersOf(call);
    const merged = stored.filter(({ layer }) => reads.includes(layer));
    const value =
      merged.length === 0 ? undefined : mergeDocuments(merged.map((l) => parse(l, format)));
    if (terminal.json) {
      return terminal.data({
        ...{ key, value, revision, format },
        layers: stored.map((found, index) => ({
          ...{ layer: found.layer, revision: found.revision, document: found.document.toString() },
          merged: merged.includes(found),
          author: versions[index]?.author ?? null,
          at: versions[index]?.at ?? null,
          reason: versions[index]?.reason ?? null,
        })),
      });
    }
    terminal.line(
      value === undefined ? terminal.dim('(no document for this reader)') : show(value, format),
    );
    terminal.line();
    terminal.table(
      ['LAYER', 'REVISION', 'READ HERE', 'WHEN', 'WHO', 'WHY'],
      stored.map((found, index) => {
        const version = versions[index];
        return [
          ...[found.layer, `${found.revision}`, merged.includes(found) ? 'yes' : 'no'],
          ...[moment(version?.at ?? null), version?.author ?? '(past the library)'],
          version?.reason ?? '-',
        ];
      }),
    );
    terminal.line(
      terminal.dim(`Read at revision ${revision}: --expect ${revision} refuses what came since.`),
    );
  },
};

/** The layers that the instance reads which the options describe. */
function layersOf({ options }: Call) {
  const [service, zone, instance] = [
    options.text('service'),
    options.text('zone'),
    options.text('instance'),
  ];
  const layers = layersFor({
    instanceId: instance ?? '',
    ...(service !== undefined && { service }),
    ...(zone !== undefined && { zone }),
    labels: {},
  });
  return instance === undefined ? layers.slice(0, -1) : layers;
}

function showLayer({ terminal, options }: Call, key: string, stored: readonly StoredLayer[]): void {
  const found = stored.find(({ layer }) => layer === options.layer());
  if (!found) {
    const there = stored.map(({ layer }) => layer).join(', ');
    throw new RefusedError(
      'CONFIG_LAYER_MISSING',
      `${key} has no document in its layer ${options.layer()}; it has: ${there}.`,
    );
  }
  const { layer, revision, document } = found;
  if (terminal.json) return terminal.data({ key, layer, revision, document: document.toString() });
  const text = document.toString();
  terminal.raw(text.endsWith('\n') ? text : `${text}\n`);
}

/** Who wrote what stands, or null where that was done past the library. */
function newestVersions({ client, namespace }: Call, stored: readonly StoredLayer[]) {
  return Promise.all(
    stored.map(async ({ key, layer, revision }) => {
      const { newest } = await new LayerHistory({ client, namespace, key, layer }).read();
      return newest?.revision === revision ? newest : null;
    }),
  );
}

function parse({ key, layer, revision, document }: StoredLayer, format: ConfigFormat): unknown {
  try {
    return parseDocument(document, format, { key, layer, revision });
  } catch (error) {
    if (!(error instanceof ConfigInvalidError)) throw error;
    throw new RefusedError(
      error.code,
      `${error.message} What it says is shown by: npm run config -- get ${key} --layer ${layer}`,
    );
  }
}

function show(value: unknown, format: ConfigFormat): string {
  return format === 'text' ? String(value) : JSON.stringify(value, null, 2);
}

/** Says why there is nothing: it was deleted, or there never was any. */
async function missing(call: Call, key: string): Promise<RefusedError> {
  const { client, namespace } = call;
  const { newest } = await new LayerHistory({ client, namespace, key, layer: 'shared' }).read();
  if (newest?.deleted) {
    const who = newest.author === null ? '' : ` by ${newest.author}, ${moment(newest.at)}`;
    return new RefusedError(
      'CONFIG_MISSING',
      `The configuration "${key}" was deleted${who}. What it was is shown by: npm run config -- history ${key}`,
    );
  }
  const names = [...new Set((await listLayers(call)).map((layer) => layer.key))];
  return new RefusedError(
    'CONFIG_MISSING',
    `There is no configuration "${key}" in the namespace ${namespace}.${didYouMean(key, names)} Those that there are are shown by: npm run config -- list`,
  );
}
