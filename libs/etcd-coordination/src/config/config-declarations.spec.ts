import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigDeclarations } from './config-declarations.js';
import { InvalidConfigNameError } from './config-name.js';
import { ConfigDeclarationError } from './config.errors.js';

const schema = z.object({ a: z.number() });

describe('a declaration', () => {
  it('made again is the one that stands', () => {
    const declarations = new ConfigDeclarations();
    const made = declarations.declare('prices', { schema, default: { a: 1 } });
    expect(made).toEqual({ key: 'prices', format: 'json', schema, default: { a: 1 } });
    const again = declarations.declare('prices', { schema, format: 'json', default: { a: 1 } });
    expect(again).toBe(made);
    expect(declarations.get('prices')).toBe(made);
    expect(declarations.get('other')).toBeUndefined();
  });

  it.each([
    ['schema', { schema: z.object({ a: z.number() }), default: { a: 1 } }],
    ['schema', {}],
    ['default', { schema }],
    ['default', { schema, default: { a: 2 } }],
    ['format', { schema, default: { a: 1 }, format: 'yaml' as const }],
  ])('with another %s is refused', (what, other) => {
    const declarations = new ConfigDeclarations();
    declarations.declare('prices', { schema, default: { a: 1 } });
    expect(() => declarations.declare('prices', other)).toThrow(
      `The configuration "prices" was declared in this process with another ${what}; declare it once and share that.`,
    );
    expect(() => declarations.declare('prices', other)).toThrow(ConfigDeclarationError);
  });

  it('has a default of its own, which nobody can change', () => {
    const given = { a: [1] };
    const made = new ConfigDeclarations().declare('prices', { default: given });
    given.a.push(2);
    expect(made.default).toEqual({ a: [1] });
    expect(made.default).toSatisfy(Object.isFrozen);
  });

  it.each([
    ['null for options', null],
    ['a text for options', 'yaml'],
    ['an unknown format', { format: 'toml' }],
    ['null for a schema', { schema: null }],
    ['a schema that is none', { schema: { parse: () => 1 } }],
  ])('with %s is refused, and leaves nothing behind', (_, options) => {
    const declarations = new ConfigDeclarations();
    expect(() => declarations.declare('prices', options as never)).toThrow(ConfigDeclarationError);
    expect(declarations.get('prices')).toBeUndefined();
  });

  it.each([
    [undefined, 'is not a string'],
    ['', 'is empty'],
    ['a\0b', 'holds a NUL character'],
    ['\ud800', 'holds half of a surrogate pair'],
    ['/a', 'starts or ends with "/"'],
    ['a//b', 'holds "//"'],
    ['ü'.repeat(257), 'has 514 bytes'],
  ])('of the name %j is refused: it %s', (name, fault) => {
    const declare = () => new ConfigDeclarations().declare(name as string);
    expect(declare).toThrow(InvalidConfigNameError);
    expect(declare).toThrow(fault);
  });
});
