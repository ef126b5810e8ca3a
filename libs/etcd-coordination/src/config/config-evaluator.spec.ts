import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import * as documents from './config-document.js';
import { ConfigEvaluator, type RawDocument } from './config-evaluator.js';
import type { ConfigLayer } from './config-layer.js';
import { ConfigInvalidError } from './config.errors.js';

function raw(layer: ConfigLayer, document: unknown, revision = 1n): RawDocument {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return { layer, document: Buffer.from(text), revision };
}

async function refusal(evaluate: () => unknown): Promise<ConfigInvalidError> {
  try {
    await evaluate();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigInvalidError);
    return error as ConfigInvalidError;
  }
  throw new Error('It was accepted.');
}

describe('the value of documents', () => {
  it('is merged, validated and frozen, at once', () => {
    const schema = z.object({ a: z.number(), b: z.object({ c: z.number(), d: z.number() }) });
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'json', schema });
    const value = evaluator.evaluate([
      raw('shared', { a: 1, b: { c: 1, d: 1 } }),
      raw('zone:eu', { b: { d: 2 } }),
    ]);
    expect(value).toEqual({ a: 1, b: { c: 1, d: 2 } });
    expect([value, (value as { b: unknown }).b].every(Object.isFrozen)).toBe(true);
  });

  it('reads a document once, as long as it stays as it is', () => {
    const read = vi.spyOn(documents, 'parseDocument');
    try {
      const evaluator = new ConfigEvaluator({ key: 'x', format: 'json' });
      const shared = raw('shared', { a: 1 });
      const first = evaluator.evaluate([shared, raw('zone:eu', { b: 1 })]);
      expect(read).toHaveBeenCalledTimes(2);
      evaluator.evaluate([raw('shared', { a: 1 }, 9n), raw('zone:eu', { b: 2 }, 9n)]);
      expect(read).toHaveBeenCalledTimes(3);
      evaluator.evaluate([raw('shared', { a: 1 }, 10n), raw('zone:eu', { b: 2 }, 10n)]);
      expect(read).toHaveBeenCalledTimes(3);
      expect(first).toEqual({ a: 1, b: 1 });
    } finally {
      read.mockRestore();
    }
  });

  it('of the same documents is the very same, and asks no schema again', () => {
    let asked = 0;
    const schema = z.unknown().transform((value) => ((asked += 1), { value }));
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'json', schema });
    const first = evaluator.evaluate([raw('shared', { a: 1 }, 1n)]);
    expect(evaluator.evaluate([raw('shared', { a: 1 }, 2n)])).toBe(first);
    expect(evaluator.evaluate([raw('zone:eu', { a: 1 }, 2n)])).not.toBe(first);
    expect(asked).toBe(2);
  });

  it('is not spoilt by a schema that changes what it is given', () => {
    const greedy = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => {
          (value as { list: number[] }).list.push(9);
          return { value: value as { list: number[] } };
        },
      },
    } as const;
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'json', schema: greedy });
    const shared = raw('shared', { list: [1] });
    expect(evaluator.evaluate([shared])).toEqual({ list: [1, 9] });
    expect(evaluator.evaluate([shared, raw('zone:eu', {})])).toEqual({ list: [1, 9] });
  });

  it('blames the layer whose document cannot be read, and goes on when it is mended', async () => {
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'json' });
    const shared = raw('shared', { a: 1 }, 4n);
    const error = await refusal(() => evaluator.evaluate([shared, raw('zone:eu', '{', 5n)]));
    expect(error).toMatchObject({ key: 'x', layer: 'zone:eu', revision: 5n });
    expect(evaluator.evaluate([shared, raw('zone:eu', '{}', 6n)])).toEqual({ a: 1 });
  });

  it('blames the layer that says what the schema refuses, if one does', async () => {
    const schema = z.object({
      a: z.object({ b: z.number() }),
      list: z.array(z.number()).optional(),
    });
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'json', schema });
    const blamed = async (...given: RawDocument[]) => {
      const { layer, revision } = await refusal(() => evaluator.evaluate(given));
      return [layer, revision];
    };
    const shared = raw('shared', { a: { b: 'no' } }, 7n);
    expect(await blamed(shared)).toEqual(['shared', 7n]);
    expect(await blamed(shared, raw('zone:eu', { a: { c: 1 } }, 8n))).toEqual(['shared', 7n]);
    expect(await blamed(shared, raw('zone:eu', { a: { b: '' } }, 8n))).toEqual(['zone:eu', 8n]);
    const listed = raw('zone:eu', { list: [1, 'x'] }, 9n);
    expect(await blamed(raw('shared', { a: { b: 1 } }), listed)).toEqual(['zone:eu', 9n]);
    // Nobody says what is missing.
    expect(await blamed(raw('shared', {}, 3n), raw('zone:eu', {}, 2n))).toEqual([null, 3n]);
    expect(await blamed(raw('shared', {}, 3n))).toEqual(['shared', 3n]);
  });

  it('in YAML is there at once, but for the first time', async () => {
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'yaml' });
    await expect(evaluator.evaluate([raw('shared', 'a: 1')])).resolves.toEqual({ a: 1 });
    expect(evaluator.evaluate([raw('shared', 'a: 2')])).toEqual({ a: 2 });
  });

  it('of YAML has each alias for itself, and no more of them than can be held', async () => {
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'yaml' });
    const aliased = raw('shared', 'a: &x {p: 1}\nb: *x');
    const value = await evaluator.evaluate([aliased, raw('zone:eu', 'a: {p: 2}')]);
    expect(value).toEqual({ a: { p: 2 }, b: { p: 1 } });
    const list = (of: string) => `[${Array.from({ length: 90 }, () => of).join(',')}]`;
    const bomb = `a: &a ${list('x')}\nb: &b ${list('*a')}\nc: &c ${list('*b')}\nd: ${list('*c')}`;
    const error = await refusal(() => evaluator.evaluate([raw('shared', bomb)]));
    expect(error.message).toMatch(/too many|more than/);
  });

  it('is the same as long as the documents say the same, whatever the schema makes of them', () => {
    const schema = z.object({ q: z.string().transform((text) => new URLSearchParams(text)) });
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'json', schema });
    const first = evaluator.evaluate([raw('shared', '{"q":"a=1"}')]);
    expect(evaluator.evaluate([raw('shared', '{ "q": "a=1" }', 2n)])).toBe(first);
    expect(evaluator.evaluate([raw('shared', '{"q":"a=2"}', 3n)])).not.toBe(first);
  });

  it("leaves the schema's own constants unfrozen", () => {
    const constant = { list: [1] };
    const schema = z.unknown().transform(() => ({ constant }));
    const evaluator = new ConfigEvaluator({ key: 'x', format: 'json', schema });
    const value = evaluator.evaluate([raw('shared', {})]) as { constant: { list: number[] } };
    expect(value).toEqual({ constant });
    expect(value.constant.list).toSatisfy(Object.isFrozen);
    constant.list.push(2);
    expect(value.constant.list).toEqual([1]);
  });

  it.each<[string, () => unknown]>([
    [
      'a getter that throws',
      () => ({
        get now(): never {
          throw new Error('It was read.');
        },
      }),
    ],
    [
      'a depth of 20,000',
      () => Array.from({ length: 20_000 }).reduce<unknown>((inner) => ({ inner }), {}),
    ],
  ])('is refused where a schema makes %s', async (_, make) => {
    for (const schema of [
      z.unknown().transform(make),
      z.unknown().transform(async () => await Promise.resolve(make())),
    ]) {
      const evaluator = new ConfigEvaluator({ key: 'x', format: 'json', schema });
      const error = await refusal(() => evaluator.evaluate([raw('shared', {})]));
      expect(error.fault).toContain('what its schema made of it');
      expect(error.cause).toBeInstanceOf(Error);
    }
  });
});
