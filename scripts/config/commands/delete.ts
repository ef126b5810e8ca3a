import { WRITE_OPTIONS, writeOptions, type Command } from '../command.js';

/** Deletes a document. */
export const deleteCommand: Command = {
  name: 'delete',
  words: ['<key>'],
  options: WRITE_OPTIONS,
  does: 'Deletes the document of a layer; what the other layers say is the value then.',
  examples: ['delete limits --layer instance:orders-1 --reason "the test is over"'],
  async run(call) {
    const { publisher, terminal, words } = call;
    const deleted = await publisher.delete(words[0]!, writeOptions(call));
    if (terminal.json) return terminal.data(deleted);
    const { key, layer, sequence, revision } = deleted;
    terminal.line(
      `${terminal.good('Deleted')} ${key}, layer ${layer}: version ${sequence}, revision ${revision}.`,
    );
  },
};
