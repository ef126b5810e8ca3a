import { ConfigInvalidError } from '../../../libs/etcd-coordination/src/config/config.errors.js';
import { WRITE_OPTIONS, writeOptions, type Call, type Command } from '../command.js';
import { readDocument } from '../input.js';
import { RefusedError } from '../usage.js';

/** Writes a document. */
export const setCommand: Command = {
  name: 'set',
  words: ['<key>', '<document>'],
  options: [...WRITE_OPTIONS, 'format'],
  does: 'Writes the document of a layer, unless others have changed it meanwhile.',
  examples: [
    `set prices '{"espresso": 2.8}' --reason "the beans got dearer"`,
    'set prices @prices.yaml --format yaml --expect 120',
    'set limits \'{"perUser": 3}\' --layer instance:orders-1',
    'set motd "Good day" --format text',
    'get prices --layer shared | npm run -s config -- set prices -',
  ],
  async run(call) {
    const { publisher, terminal, words } = call;
    const [key, argument] = words as [string, string];
    const document = await readDocument(argument, call.stdin);
    const written = await publisher
      .setDocument(key, document, writeOptions(call))
      .catch((error: unknown) => refuse(call, error));
    if (terminal.json) return terminal.data(written);
    const { layer, sequence, revision } = written;
    terminal.line(
      `${terminal.good('Set')} ${key}, layer ${layer}: version ${sequence}, revision ${revision}.`,
    );
  },
};

/** Whoever names no format may have thought of another one. */
function refuse({ options }: Call, error: unknown): never {
  if (!(error instanceof ConfigInvalidError) || options.has('format')) throw error;
  const hint = 'If it is not JSON, say so with --format yaml or --format text.';
  throw new RefusedError(error.code, `${error.message} ${hint}`);
}
