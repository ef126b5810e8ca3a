import { EtcdCoordinationError } from '../../libs/etcd-coordination/src/client/coordination.error.js';
import { InvalidEndpointError } from '../../libs/etcd-coordination/src/client/endpoint-address.js';
import type { Command } from './command.js';
import { deleteCommand } from './commands/delete.js';
import { getCommand } from './commands/get.js';
import { historyCommand } from './commands/history.js';
import { listCommand } from './commands/list.js';
import { RELEASE_COMMANDS } from './commands/release.js';
import { rollbackCommand } from './commands/rollback.js';
import { setCommand } from './commands/set.js';
import { helpOf, overview } from './help.js';
import { COMMON, readLine, type Line } from './options.js';
import { Terminal, type Surroundings } from './terminal.js';
import { didYouMean, RefusedError, UsageError } from './usage.js';

const COMMANDS: readonly Command[] = [
  ...[listCommand, getCommand, setCommand, deleteCommand, historyCommand, rollbackCommand],
  ...RELEASE_COMMANDS,
];

/**
 * Does what a command line asks for.
 *
 * @returns the exit code: 0, 1 if it is refused, 2 if it is not understood
 */
export async function runConfig(args: readonly string[], around: Surroundings): Promise<number> {
  const terminal = new Terminal(args.includes('--json'), around.stdout, around.stderr);
  try {
    return await run(readLine(args), terminal, around);
  } catch (error) {
    terminal.complain(withoutPassword(error as Error));
    if (error instanceof UsageError || error instanceof InvalidEndpointError) return 2;
    const isKnown = error instanceof RefusedError || error instanceof EtcdCoordinationError;
    if (!isKnown) around.stderr.write(`${(error as Error).stack}\n`);
    return 1;
  }
}

async function run(
  { words, options }: Line,
  terminal: Terminal,
  around: Surroundings,
): Promise<number> {
  const asksForHelp = options.has('help') || words[0] === 'help';
  const asked = words[0] === 'help' ? words.slice(1) : words;
  const { command, rest } = find(asked, asksForHelp);
  if (command === null) {
    terminal.line(overview(rest));
    return 0;
  }
  if (asksForHelp) {
    terminal.line(helpOf(command));
    return 0;
  }
  const foreign = options.names().find((o) => ![...command.options, ...COMMON].includes(o));
  if (foreign !== undefined) {
    throw new UsageError(`"${command.name}" has no option --${foreign}.${seeHelp(command.name)}`);
  }
  const given = asked.slice(command.name.split(' ').length);
  if (given.length < command.words.length) {
    const missing = command.words.slice(given.length).join(' ');
    throw new UsageError(`"${command.name}" needs ${missing}.${seeHelp(command.name)}`);
  }
  if (given.length > command.words.length) {
    const extra = given.slice(command.words.length).map((word) => `"${word}"`);
    throw new UsageError(
      `"${command.name}" takes ${command.words.join(' ') || 'nothing'}, and ${extra.join(' ')} is too much; put quotes around a document.`,
    );
  }
  options.check();
  command.check?.(given, options);
  // Only now: its libraries take longer to load than all that is said without etcd.
  const { openConnection } = await import('./connection.js');
  const connection = await openConnection(options, around.env);
  try {
    return (
      (await command.run({
        ...connection,
        words: given,
        ...{ options, terminal, stdin: around.stdin },
      })) ?? 0
    );
  } finally {
    await connection.close();
  }
}

/** The command that the words begin with; none if it is asked what there is. */
function find(
  words: readonly string[],
  asksForHelp: boolean,
): { command: Command; rest?: never } | { command: null; rest: readonly Command[] } {
  const [first, second] = words;
  if (first === undefined) return { command: null, rest: COMMANDS };
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length > 0 && second === undefined && asksForHelp)
    return { command: null, rest: group };
  const name = group.length > 0 ? [first, second].filter(Boolean).join(' ') : first;
  const command = COMMANDS.find((known) => known.name === name);
  if (command) return { command };
  const known = group.length > 0 ? group : COMMANDS;
  const firstWords = [...new Set(known.map((c) => c.name.split(' ')[group.length > 0 ? 1 : 0]!))];
  const wrong = group.length > 0 ? second : first;
  if (wrong === undefined) {
    throw new UsageError(`"${first}" needs one of ${firstWords.join(', ')}.`);
  }
  throw new UsageError(
    `There is no command "${name}".${didYouMean(wrong, firstWords)} There are: ${firstWords.join(', ')}.`,
  );
}

/** An endpoint such as `http://user:password@host:2379` is refused, and was printed with the sentence. */
function withoutPassword(error: Error): Error {
  error.message = error.message.replace(/([/"\s,]|^)[^/"\s,]+@(?=[^\s"@]*:\d)/g, '$1***@');
  return error;
}

function seeHelp(name: string): string {
  return ` See npm run config -- ${name} --help.`;
}
