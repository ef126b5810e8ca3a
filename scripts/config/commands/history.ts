import type { Command } from '../command.js';
import { excerpt, moment } from '../terminal.js';

/** Shows the versions of a layer. */
export const historyCommand: Command = {
  name: 'history',
  words: ['<key>'],
  options: ['layer', 'limit'],
  does: 'Shows the versions of a layer, newest first: who, when and why. * is what stands.',
  examples: ['history prices', 'history limits --layer zone:eu --limit 5', 'history prices --json'],
  async run({ publisher, terminal, options, words }) {
    const [key, layer, limit] = [words[0]!, options.layer(), options.count('limit')];
    const versions = await publisher.history(key, {
      ...(layer !== undefined && { layer }),
      ...(limit !== undefined && { limit }),
    });
    if (terminal.json) return terminal.data(versions);
    if (versions.length === 0) {
      terminal.line(`${key} has no history in its layer ${layer ?? 'shared'}.`);
      return;
    }
    terminal.table(
      ['VERSION', 'REVISION', 'WHEN', 'WHO', 'WHY', 'DOCUMENT'],
      versions.map((version) => [
        `${version.sequence}${version.current ? ' *' : ''}`,
        `${version.revision ?? '-'}`,
        moment(version.at),
        version.author ?? '(past the library)',
        version.reason ?? '-',
        version.deleted ? '(deleted)' : excerpt(version.document ?? '(no longer to be had)'),
      ]),
    );
  },
};
