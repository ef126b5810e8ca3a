import { WRITE_OPTIONS, writeOptions, type Command } from '../command.js';
import { readCount } from '../options.js';

/** Writes an earlier document again. */
export const rollbackCommand: Command = {
  name: 'rollback',
  words: ['<key>', '<version>'],
  options: [...WRITE_OPTIONS, 'format'],
  does: 'Writes the document of an earlier version, as history numbers them, as the next one.',
  examples: ['rollback prices 3', 'rollback prices 3 --reason "too dear" --expect 131'],
  check: ([, version]) => void readCount('The version', version!),
  async run(call) {
    const { publisher, terminal, words } = call;
    const [key, version] = words as [string, string];
    const to = readCount('The version', version);
    const written = await publisher.rollback(key, { ...writeOptions(call), to });
    if (terminal.json) return terminal.data(written);
    const { layer, sequence, revision } = written;
    terminal.line(
      `${terminal.good('Set back')} ${key}, layer ${layer}, to version ${to}: it is version ${sequence} now, revision ${revision}.`,
    );
  },
};
