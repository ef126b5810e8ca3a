import type { Command } from '../command.js';
import { listLayers } from '../stored.js';

/** Shows what there is. */
export const listCommand: Command = {
  name: 'list',
  words: [],
  options: [],
  does: 'Shows the configurations that there are, with their layers.',
  examples: ['list', 'list --namespace shop/coordination --json'],
  async run(call) {
    const { terminal, namespace } = call;
    const layers = await listLayers(call);
    const names = [...new Set(layers.map(({ key }) => key))].sort();
    const found = names.map((key) => {
      const own = layers.filter((layer) => layer.key === key);
      const revision = own.reduce((newest, l) => (l.revision > newest ? l.revision : newest), 0n);
      return { key, revision, layers: own.map(({ layer, revision }) => ({ layer, revision })) };
    });
    if (terminal.json) return terminal.data(found);
    if (found.length === 0) {
      terminal.line(`There are no configurations in the namespace ${namespace}.`);
      return;
    }
    terminal.table(
      ['CONFIGURATION', 'REVISION', 'LAYERS'],
      found.map(({ key, revision, layers }) => [
        ...[key, `${revision}`],
        layers.map(({ layer }) => layer).join(', '),
      ]),
    );
  },
};
