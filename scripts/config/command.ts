import type { Connection } from './connection.js';
import type { OptionName, Options } from './options.js';
import type { Surroundings, Terminal } from './terminal.js';

/** One thing that can be asked for. */
export interface Command {
  /** Such as `set` or `release start`. */
  readonly name: string;
  /** What it needs, by name: `<key>`. */
  readonly words: readonly string[];
  readonly options: readonly OptionName[];
  /** What it does, as a sentence. */
  readonly does: string;
  /** What follows `npm run config -- `. */
  readonly examples: readonly string[];
  /** What can be said of a call before etcd is asked. @throws UsageError if it makes no sense */
  check?(words: readonly string[], options: Options): void;
  /** @returns the exit code if it is not 0 */
  run(call: Call): Promise<number | void>;
}

/** One call of a command. */
export interface Call extends Connection {
  readonly words: readonly string[];
  readonly options: Options;
  readonly terminal: Terminal;
  readonly stdin: Surroundings['stdin'];
}

/** What every write takes. */
export const WRITE_OPTIONS = ['layer', 'reason', 'author', 'expect', 'keep'] as const;

/** The options of a write as the library takes them. */
export function writeOptions({ options }: Pick<Call, 'options'>) {
  const [layer, reason, expectedRevision] = [
    options.layer(),
    options.text('reason'),
    options.revision(),
  ];
  const format = options.format();
  return {
    ...(layer !== undefined && { layer }),
    ...(reason !== undefined && { reason }),
    ...(expectedRevision !== undefined && { expectedRevision }),
    ...(format !== undefined && { format }),
  };
}
