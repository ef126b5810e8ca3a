import { parseArgs } from 'node:util';
import {
  layerPath,
  type ConfigLayer,
} from '../../libs/etcd-coordination/src/config/config-layer.js';
import type { ConfigFormat } from '../../libs/etcd-coordination/src/config/config-options.js';
import { didYouMean, UsageError } from './usage.js';

/** An option. */
export interface OptionSpec {
  readonly does: string;
  /** How its value is called, if it takes one. */
  readonly value?: string;
  readonly multiple?: boolean;
}

/** Every option, of whatever command. */
export const OPTIONS = {
  layer: { value: 'layer', does: 'shared (default), service:<name>, zone:<name> or instance:<id>' },
  reason: { value: 'text', does: 'why, for the history' },
  author: { value: 'name', does: 'who, for the history; default: the user of this machine' },
  expect: {
    value: 'revision',
    does: 'refuse if the layer changed after this revision; 0: it must not exist',
  },
  format: {
    value: 'format',
    does: 'json, yaml or text; default: as it was written last, else json',
  },
  keep: { value: 'count', does: 'how many versions are kept; default 50' },
  limit: { value: 'count', does: 'how many versions are shown; default: all that are kept' },
  service: { value: 'name', does: 'merge what an instance of this service reads' },
  zone: { value: 'name', does: 'merge what an instance in this zone reads' },
  instance: { value: 'id', does: 'merge what this instance reads' },
  steps: { value: 'percents', does: 'shares of the instances, such as 10,50,100 (default)' },
  label: {
    value: 'name=value',
    does: 'these instances first; may be given more than once',
    multiple: true,
  },
  observe: { value: 'time', does: 'how long each step is watched, such as 90s; default 60s' },
  'apply-timeout': {
    value: 'time',
    does: 'how long an instance may take to apply it; default 30s',
  },
  follow: { does: 'stay and show every change until the release is over' },
  namespace: {
    value: 'name',
    does: 'default: that of the demo, DEMO_PREFIX or demo',
  },
  endpoints: { value: 'list', does: 'default: ETCD_ENDPOINTS, else 127.0.0.1:2379' },
  json: { does: 'for machines: one JSON value, revisions as strings' },
  help: { does: 'this text' },
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof OPTIONS;

/** What every command takes. */
export const COMMON: readonly OptionName[] = ['namespace', 'endpoints', 'json', 'help'];

/** A command line taken apart. */
export interface Line {
  readonly words: readonly string[];
  readonly options: Options;
}

/** Options by their names, each read as what it is. */
export class Options {
  constructor(private readonly given: ReadonlyMap<OptionName, readonly string[]>) {}

  names(): OptionName[] {
    return [...this.given.keys()];
  }

  has(name: OptionName): boolean {
    return this.given.has(name);
  }

  /** Reads each one that is given. @throws UsageError for the first that says nothing */
  check(): void {
    this.revision();
    this.layer();
    this.format();
    this.steps();
    for (const name of ['author', 'reason'] as const) this.line(name);
    this.labels();
    for (const name of ['keep', 'limit'] as const) this.count(name);
    for (const name of ['observe', 'apply-timeout'] as const) this.milliseconds(name);
  }

  text(name: OptionName): string | undefined {
    return this.given.get(name)?.at(-1);
  }

  count(name: OptionName): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : readCount(`--${name}`, text);
  }

  revision(): bigint | undefined {
    const text = this.text('expect');
    if (text === undefined) return undefined;
    if (/^\d+$/.test(text)) return BigInt(text);
    throw new UsageError(
      `--expect is "${text}": give a revision, as get and history show them, or 0.`,
    );
  }

  layer(): ConfigLayer | undefined {
    const layer = this.text('layer');
    if (layer === undefined || layer === 'shared') return layer;
    try {
      layerPath(layer as ConfigLayer);
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
    return layer as ConfigLayer;
  }

  /** A text of one line. */
  private line(name: OptionName): void {
    const text = this.text(name);
    if (text === undefined || !/\p{Cc}/u.test(text)) return;
    throw new UsageError(
      `--${name} is ${JSON.stringify(text)}: give one line, without control characters.`,
    );
  }

  format(): ConfigFormat | undefined {
    const text = this.text('format');
    if (text === undefined || text === 'json' || text === 'yaml' || text === 'text') return text;
    throw new UsageError(
      `--format is "${text}": give json, yaml or text.${didYouMean(text, ['json', 'yaml', 'text'])}`,
    );
  }

  /** Milliseconds of a time such as `90s`, `2m` or `500ms`. */
  milliseconds(name: OptionName): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
    if (amount === undefined) {
      throw new UsageError(`--${name} is "${text}": give a time such as 500ms, 90s or 2m.`);
    }
    return Number(amount) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as 'ms'];
  }

  steps(): number[] | undefined {
    const text = this.text('steps');
    if (text === undefined) return undefined;
    const steps = text.split(',').map(Number);
    if (steps.every((step) => Number.isFinite(step))) return steps;
    throw new UsageError(`--steps is "${text}": give percents such as 10,50,100.`);
  }

  labels(): Record<string, string> | undefined {
    const given = this.given.get('label');
    if (!given) return undefined;
    const pairs = given.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new UsageError(`--label is "${text}": give a name and a value, such as canary=yes.`);
    });
    return Object.fromEntries(pairs);
  }
}

/** A whole number from 1, or a sentence that says whose it should be. */
export function readCount(what: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`${what} is "${text}": give a whole number from 1.`);
}

/** Takes a command line apart. @throws UsageError for an option that there is not, or without its value */
export function readLine(args: readonly string[]): Line {
  const options = Object.entries(OPTIONS).map(([name, option]) => [
    name,
    { type: 'value' in option ? 'string' : 'boolean', ...(name === 'help' && { short: 'h' }) },
  ]);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(options) as Record<string, { type: 'string' | 'boolean' }>,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const given = new Map<OptionName, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    if (!isOption(name)) {
      const hint = didYouMean(name, Object.keys(OPTIONS));
      throw new UsageError(
        `There is no option ${rawName}.${hint && hint.replace('"', '"--')}${/^-\d/.test(rawName) ? ' Write a value that begins with "-" after "--".' : ''}`,
      );
    }
    const option: OptionSpec = OPTIONS[name];
    if (option.value === undefined && value !== undefined) {
      throw new UsageError(`${rawName} takes no value, and was given "${value}".`);
    }
    if (option.value !== undefined && (value === undefined || isSwallowed(value))) {
      throw new UsageError(`${rawName} needs a value: ${rawName} <${option.value}>.`);
    }
    const values = given.get(name) ?? [];
    if (values.length > 0 && !option.multiple) {
      throw new UsageError(`${rawName} is given twice.`);
    }
    given.set(name, [...values, value ?? '']);
  }
  return { words, options: new Options(given) };
}

function isOption(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

/** parseArgs takes the next option for the value of one that has none. */
function isSwallowed(value: string): boolean {
  return value.startsWith('--') && isOption(value.slice(2).split('=')[0]!);
}
