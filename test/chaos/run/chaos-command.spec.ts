import { describe, expect, it } from 'vitest';
import { type KnownNames, readCommand } from './chaos-command.js';
import { helpText } from './chaos-help.js';
import { ChaosUsageError } from './chaos-usage.error.js';

const KNOWN: KnownNames = {
  lines: ['3.4', '3.5'],
  works: ['locks', 'elections'],
  faults: ['kill holder', 'freeze holder'],
  mutants: ['no-fence', 'wall-clock'],
};
const command = (...args: string[]) => readCommand(args, KNOWN, () => 7);
const refusal = (...args: string[]) => {
  try {
    command(...args);
  } catch (error) {
    expect(error).toBeInstanceOf(ChaosUsageError);
    return (error as Error).message;
  }
  return expect.unreachable('it was understood');
};

describe('the command line of the chaos', () => {
  it('is a minute of this library on the newest line, with a seed from the clock', () => {
    expect(command()).toEqual({
      ...{ do: 'run', out: null },
      plan: { seed: 7, lines: ['3.5'], systems: ['ours'] },
    });
  });

  it('is read with everything that it can have', () => {
    const args = ['--minutes', '30', '--seed', '42', '--line', 'all', '--system', 'both'];
    const more = ['--works', 'locks, elections', '--faults', 'kill holder', '--security', 'tls'];
    expect(command(...args, ...more, '--out', 'there')).toEqual({
      ...{ do: 'run', out: 'there' },
      plan: {
        ...{ seconds: 1800, seed: 42, lines: ['3.4', '3.5'], systems: ['ours', 'etcd3'] },
        ...{ works: ['locks', 'elections'], faults: ['kill holder'], security: 'tls' },
      },
    });
  });

  it('names mutants, or has all of them', () => {
    expect(command('--mutant', 'no-fence')).toMatchObject({ plan: { mutants: ['no-fence'] } });
    expect(command('--mutants')).toMatchObject({ plan: { mutants: KNOWN.mutants } });
    expect(refusal('--mutants', '--system', 'both')).toMatch(/leave --system out/);
  });

  it('asks for help, or for kept notes to be judged again', () => {
    expect(command('-h', '--minutes', 'x')).toEqual({ do: 'help' });
    expect(command('--recheck', 'notes')).toEqual({ do: 'recheck', folders: ['notes'], out: null });
  });

  it.each([
    [
      ['--line', '3.6'],
      '--line knows no "3.6". Did you mean "3.4"? It can be "3.4", "3.5", "all".',
    ],
    [['--works', 'locks,lock'], '--works knows no "lock". Did you mean "locks"?'],
    [['--faults', 'kill holdr'], 'Did you mean "kill holder"? It can be "kill holder", "freeze'],
    [['--mutant', 'x'], '--mutant knows no "x". It can be "no-fence", "wall-clock".'],
    [['--security', 'ssl'], 'It can be "plain", "auth", "tls", "tls+auth".'],
    [['--system', 'mine'], 'It can be "ours", "etcd3", "both".'],
    [['--minutes', '0'], '--minutes must be a number from 0.05 to 1440, and not "0".'],
    [['--minutes', ''], 'and not "".'],
    [['--seed', '1.5'], '--seed must be a whole number, and not "1.5".'],
    [['--seed', '-1'], /--seed/],
    [['--minute', '1'], 'There is no option --minute. Did you mean "minutes"?'],
    [['now'], /Unexpected argument 'now'.* See npm run chaos -- --help\.$/],
  ])('is refused with the names that are known: %j', (args, message) => {
    if (typeof message === 'string') expect(refusal(...args)).toContain(message);
    else expect(refusal(...args)).toMatch(message);
  });

  it('has a help that names everything, and fits a terminal', () => {
    const text = helpText(KNOWN);
    for (const name of Object.values(KNOWN).flat()) expect(text).toContain(name);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});
