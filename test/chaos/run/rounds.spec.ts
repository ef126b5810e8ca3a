import { describe, expect, it } from 'vitest';
import { mutantNamed } from '../mutants/index.js';
import { readCommand } from './chaos-command.js';
import { knownNames } from './known-names.js';
import { commandFor, nameOf, type Plan, roundsOf } from './rounds.js';

const PLAN: Plan = { seconds: 60, seed: 42, lines: ['3.5'], systems: ['ours'] };

describe('the rounds of a plan', () => {
  it('are one for what is short', () => {
    expect(roundsOf(PLAN)).toEqual([
      { line: '3.5', system: 'ours', seconds: 60, seed: 42, security: 'plain' },
    ]);
  });

  it('are as many as keep the notes of each within bounds, each with a seed and a security of its own', () => {
    const rounds = roundsOf({ ...PLAN, seconds: 1800 });
    expect(rounds).toHaveLength(10);
    expect(new Set(rounds.map(({ seed }) => seed)).size).toBe(10);
    expect(rounds.every(({ seconds }) => seconds === 180)).toBe(true);
    expect(rounds.slice(0, 5).map(({ security }) => security)).toEqual([
      ...['plain', 'auth', 'tls', 'tls+auth', 'plain'],
    ]);
  });

  it('are had for each line and system', () => {
    const rounds = roundsOf({ ...PLAN, lines: ['3.4', '3.5'], systems: ['ours', 'etcd3'] });
    expect(new Set(rounds.map(nameOf)).size).toBe(4);
  });

  it('of a mutant are as its author directed, unless the command says something else', () => {
    const { run } = mutantNamed('wall-clock');
    const mutants = ['wall-clock'];
    const { seconds: _, ...unbounded } = PLAN;
    expect(roundsOf({ ...unbounded, mutants })).toEqual([
      expect.objectContaining({ ...run, mutant: 'wall-clock', seed: 42 }),
    ]);
    expect(roundsOf({ ...PLAN, mutants, works: ['locks'] })).toEqual([
      expect.objectContaining({ seconds: 60, works: ['locks'] }),
    ]);
  });

  it('can each be had again by a command', () => {
    const faults = ['kill holder', 'freeze holder'];
    const plans: Plan[] = [
      { ...PLAN, works: ['locks'], faults, security: 'tls+auth' },
      { ...PLAN, seconds: 200, lines: ['3.4'], systems: ['etcd3'] },
      { ...PLAN, mutants: ['wall-clock'] },
    ];
    for (const round of plans.flatMap(roundsOf)) {
      const words = commandFor(round)
        .match(/'[^']*'|\S+/g)!
        .slice(4);
      const command = readCommand(
        words.map((word) => word.replaceAll("'", '')),
        knownNames(),
      );
      expect(command.do === 'run' && roundsOf(command.plan)).toEqual([round]);
    }
  });
});
