import { mutantNamed } from '../mutants/index.js';
import { directedRun } from '../mutants/run-mutants.js';
import type { SystemName } from '../systems/system.js';
import type { RunOptions } from './run-options.js';

/** What is asked for on the command line, all of it known to be right. */
export interface Plan {
  /** Of faults, for each line and system. Default a minute; for a mutant, as long as it takes to show. */
  readonly seconds?: number;
  readonly seed: number;
  readonly lines: readonly string[];
  readonly systems: readonly SystemName[];
  /** Left out, each round has the next one. */
  readonly security?: Security;
  readonly works?: readonly string[];
  readonly faults?: readonly string[];
  /** These, each in the run that brings it to light, instead of the library as it is. */
  readonly mutants?: readonly string[];
}

export type Security = NonNullable<RunOptions['security']>;
export const SECURITIES: readonly Security[] = ['plain', 'auth', 'tls', 'tls+auth'];

/** A run's notes are in memory until it is judged: longer ones are made of rounds, each healed and judged. */
const LONGEST_ROUND_S = 180;
const DEFAULT_S = 60;

/** The runs that a plan comes to. Each has a seed of its own, one higher than the last, so that it can be had again. */
export function roundsOf(plan: Plan): RunOptions[] {
  const { seconds = DEFAULT_S, seed, lines, systems, security, mutants } = plan;
  if (mutants) return lines.flatMap((line) => mutants.map((name) => mutantRun(name, line, plan)));
  const rounds = Math.max(1, Math.ceil(seconds / LONGEST_ROUND_S));
  const each = Math.round((seconds / rounds) * 10) / 10;
  return lines.flatMap((line) =>
    systems.flatMap((system) =>
      Array.from({ length: rounds }, (_, round) => ({
        ...{ line, system, seconds: each, seed: seed + round },
        security: security ?? SECURITIES[round % SECURITIES.length]!,
        ...chosen(plan),
      })),
    ),
  );
}

/** What the mutant asks for, unless the plan says something else. */
function mutantRun(name: string, line: string, plan: Plan): RunOptions {
  const { seed, seconds, security } = plan;
  return {
    ...directedRun(mutantNamed(name), { line, seed }),
    ...(seconds !== undefined && { seconds }),
    ...(security && { security }),
    ...chosen(plan),
  };
}

function chosen({ works, faults }: Plan): Pick<RunOptions, 'works' | 'faults'> {
  return { ...(works && { works }), ...(faults && { faults }) };
}

/** The command that makes a run once more. */
export function commandFor({ line, system, seconds, seed, ...options }: RunOptions): string {
  const { security = 'plain', works, faults, mutant } = options;
  return [
    'npm run chaos --',
    ...['--minutes', `${Number((seconds / 60).toFixed(3))}`, '--seed', `${seed}`, '--line', line],
    ...['--system', system, '--security', security],
    ...(works ? ['--works', works.join(',')] : []),
    ...(faults ? ['--faults', quoted(faults.join(','))] : []),
    ...(mutant === undefined ? [] : ['--mutant', mutant]),
  ].join(' ');
}

function quoted(text: string): string {
  return text.includes(' ') ? `'${text}'` : text;
}

/** Names a run among others of the same command, as a folder does. */
export function nameOf({ line, system, seed, mutant }: RunOptions): string {
  return [`etcd-${line}`, system, ...(mutant === undefined ? [] : [mutant]), `seed-${seed}`].join(
    '-',
  );
}
