import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { PROMISES } from '../check/evidence.js';
import { FAULTS } from '../nemesis/faults/index.js';
import { WORKS } from '../works/index.js';
import { grouped } from '../check/in-time.js';
import { MUTANTS, mutantNamed } from './index.js';
import { mutated } from './mutated.mjs';

const source = new URL('../../../libs/etcd-coordination/src/', import.meta.url);

describe.each(MUTANTS)('the mutant $name', ({ breaks, caughtBy, run, replacements }) => {
  it('still fits the sources, which still compile with it', () => {
    expect(replacements.length).toBeGreaterThan(0);
    for (const [file, its] of grouped(replacements, (one) => one.file)) {
      const path = fileURLToPath(new URL(file, source));
      const before = readFileSync(path, 'utf8');
      const after = mutated(before, its);
      expect(after).not.toBe(before);
      const { diagnostics } = ts.transpileModule(after, {
        fileName: path,
        reportDiagnostics: true,
        compilerOptions: { experimentalDecorators: true, target: ts.ScriptTarget.ES2023 },
      });
      expect(diagnostics).toEqual([]);
    }
  });

  it('says what it breaks, and has a run that there is', () => {
    expect(breaks).toMatch(/^[A-Z].*\.$/);
    for (const promise of caughtBy) expect(Object.keys(PROMISES)).toContain(promise);
    for (const work of run.works ?? []) expect(WORKS.map(({ name }) => name)).toContain(work);
    for (const fault of run.faults ?? []) expect(FAULTS.map(({ kind }) => kind)).toContain(fault);
  });
});

describe('mutated', () => {
  const one = (find: string) => [{ file: 'a.ts', find, replace: '$&' }];

  it('replaces by the very text', () => {
    expect(mutated('let a;', one('let'))).toBe('$& a;');
  });

  it('refuses what is not there, or more than once', () => {
    expect(() => mutated('let a;', one('var'))).toThrow('a.ts that stands there 0 times');
    expect(() => mutated('a a', one('a'))).toThrow('stands there 2 times');
  });
});

describe('mutantNamed', () => {
  it('knows all names, each once, and names them to who has another', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    for (const mutant of MUTANTS) expect(mutantNamed(mutant.name)).toBe(mutant);
    expect(() => mutantNamed('x')).toThrow('There is no mutant "x"; there are loss-at-2-ttl,');
  });
});
