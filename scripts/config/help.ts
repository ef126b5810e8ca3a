import type { Command } from './command.js';
import { COMMON, OPTIONS, type OptionName, type OptionSpec } from './options.js';

const START = 'npm run config --';

/** What there is. */
export function overview(commands: readonly Command[]): string {
  const rows = commands.map(({ name, words, does }) => [[name, ...words].join(' '), does]);
  return `Reads and writes configurations in etcd.

${columns(rows)}

A <document> is given as it is, as @file, or as - for stdin.
ETCD_ENDPOINTS, DEMO_PREFIX and ETCD_USER (name:password) are read from the environment.
It ends with 0, with 1 if it is refused, and with 2 if it is not understood.

${START} <command> --help   tells all of one command`;
}

/** All of one command. */
export function helpOf({ name, words, options, does, examples }: Command): string {
  const rows = [...options, ...COMMON].map((option) => [signature(option), OPTIONS[option].does]);
  return `${START} ${[name, ...words].join(' ')} [options]

${does}

${columns(rows)}

${examples.map((example) => `  ${START} ${example}`).join('\n')}`;
}

function signature(name: OptionName): string {
  const option: OptionSpec = OPTIONS[name];
  return option.value === undefined ? `--${name}` : `--${name} <${option.value}>`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([first]) => first!.length));
  return rows.map(([first, second]) => `  ${first!.padEnd(width)}  ${second}`).join('\n');
}
