import { parseArgs } from 'node:util';
import { didYouMean } from '../../../scripts/config/usage.js';
import type { SystemName } from '../systems/system.js';
import { ChaosUsageError } from './chaos-usage.error.js';
import { type Plan, SECURITIES, type Security } from './rounds.js';

/** What the command is for. */
export type ChaosCommand =
  | { readonly do: 'help' }
  | { readonly do: 'recheck'; readonly folders: readonly string[]; readonly out: string | null }
  | { readonly do: 'run'; readonly plan: Plan; readonly out: string | null };

/** The names that there are. */
export interface KnownNames {
  readonly lines: readonly string[];
  readonly works: readonly string[];
  readonly faults: readonly string[];
  readonly mutants: readonly string[];
}

const SYSTEMS: readonly SystemName[] = ['ours', 'etcd3'];
const LONGEST_MINUTES = 24 * 60;
const LARGEST_SEED = 2 ** 31 - 1;

const OPTIONS = {
  minutes: { type: 'string' },
  seed: { type: 'string' },
  line: { type: 'string' },
  system: { type: 'string' },
  works: { type: 'string' },
  faults: { type: 'string' },
  security: { type: 'string' },
  mutant: { type: 'string' },
  mutants: { type: 'boolean' },
  out: { type: 'string' },
  recheck: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Given = { readonly [name in keyof typeof OPTIONS]?: string | boolean };

/**
 * Reads the command line.
 *
 * @throws {ChaosUsageError} if anything in it is not understood, before anything has been started
 */
export function readCommand(
  args: readonly string[],
  known: KnownNames,
  now: () => number = Date.now,
): ChaosCommand {
  const given = parsed(args);
  if (given.help) return { do: 'help' };
  const text = (name: keyof Given) => given[name] as string | undefined;
  const out = text('out') ?? null;
  const recheck = text('recheck');
  if (recheck !== undefined) return { do: 'recheck', folders: recheck.split(','), out };

  const one = (name: keyof Given, all: readonly string[]) => {
    const value = text(name);
    return value === undefined ? undefined : oneOf(name, value, all);
  };
  const several = (name: keyof Given, all: readonly string[]) =>
    text(name)
      ?.split(',')
      .map((value) => oneOf(name, value.trim(), all));

  const mutants = given.mutants ? known.mutants : several('mutant', known.mutants);
  const minutes = text('minutes');
  const works = several('works', known.works);
  const faults = several('faults', known.faults);
  const security = one('security', SECURITIES) as Security | undefined;
  const line = one('line', [...known.lines, 'all']) ?? known.lines.at(-1)!;
  const system = (one('system', [...SYSTEMS, 'both']) ?? 'ours') as SystemName | 'both';
  if (system !== 'ours' && mutants) {
    throw new ChaosUsageError('Mutants are faults in this library: leave --system out.');
  }
  return {
    ...{ do: 'run', out },
    plan: {
      ...(minutes !== undefined && {
        seconds: numberOf('minutes', minutes, 0.05, LONGEST_MINUTES) * 60,
      }),
      seed: seedOf(text('seed'), now),
      lines: line === 'all' ? known.lines : [line],
      systems: system === 'both' ? SYSTEMS : [system],
      ...(security && { security }),
      ...(works && { works }),
      ...(faults && { faults }),
      ...(mutants && { mutants }),
    },
  };
}

function parsed(args: readonly string[]): Given {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false }).values;
  } catch (error) {
    const { message } = error as Error;
    const unknown = /Unknown option '--?([^']+)'/.exec(message)?.[1];
    throw new ChaosUsageError(
      unknown === undefined
        ? `${message.split('. ')[0]!.replace(/\.$/, '')}. See npm run chaos -- --help.`
        : `There is no option --${unknown}.${didYouMean(unknown, Object.keys(OPTIONS))} See npm run chaos -- --help.`,
      { cause: error },
    );
  }
}

function oneOf(option: string, value: string, all: readonly string[]): string {
  if (all.includes(value)) return value;
  throw new ChaosUsageError(
    `--${option} knows no "${value}".${didYouMean(value, all)} It can be ${all.map((name) => `"${name}"`).join(', ')}.`,
  );
}

function seedOf(given: string | undefined, now: () => number): number {
  if (given === undefined) return now() % LARGEST_SEED;
  const seed = numberOf('seed', given, 0, LARGEST_SEED);
  if (Number.isInteger(seed)) return seed;
  throw new ChaosUsageError(`--seed must be a whole number, and not "${given}".`);
}

function numberOf(option: string, given: string, least: number, most: number): number {
  const value = given.trim() === '' ? NaN : Number(given);
  if (value >= least && value <= most) return value;
  throw new ChaosUsageError(
    `--${option} must be a number from ${least} to ${most}, and not "${given}".`,
  );
}
