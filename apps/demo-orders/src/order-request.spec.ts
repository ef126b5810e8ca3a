import { BadRequestException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { ParseWith } from '../../demo-shared/src/http/parse-with.pipe.js';
import { parseIdempotencyKey, parseOrderRequest } from './order-request.js';

const body = new ParseWith(parseOrderRequest);
const key = new ParseWith(parseIdempotencyKey);

function problemsOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(BadRequestException);
    return ((error as BadRequestException).getResponse() as { message: unknown }).message;
  }
  return 'none';
}

const SKU = 'sku must be 1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit';
const QUANTITY = 'quantity must be a whole number from 1 to 1000000';

describe('the body of POST /orders', () => {
  it('takes an order', () => {
    expect(body.transform({ sku: 'bolt', quantity: 2 })).toEqual({ sku: 'bolt', quantity: 2 });
  });

  it.each([
    ['nothing', undefined, ['the body must be a JSON object with sku and quantity']],
    ['a list', [], ['the body must be a JSON object with sku and quantity']],
    ['an empty object', {}, [SKU, QUANTITY]],
    ['no pieces', { sku: 'bolt', quantity: 0 }, [QUANTITY]],
    ['half a piece', { sku: 'bolt', quantity: 0.5 }, [QUANTITY]],
    ['too many pieces', { sku: 'bolt', quantity: 1_000_001 }, [QUANTITY]],
    ['a number as text', { sku: 'bolt', quantity: '2' }, [QUANTITY]],
    ['a key of another prefix', { sku: '../stock/bolt', quantity: 1 }, [SKU]],
    ['a NUL', { sku: 'a\0b', quantity: 1 }, [SKU]],
    [
      'an unknown member',
      { sku: 'bolt', quantity: 1, price: 1 },
      ['price is not known, only sku and quantity'],
    ],
  ])('refuses %s', (_, input, problems) => {
    expect(problemsOf(() => body.transform(input))).toEqual(problems);
  });
});

describe('the Idempotency-Key', () => {
  it('may be left out', () => {
    expect(key.transform(undefined)).toBeNull();
    expect(key.transform('order-7')).toBe('order-7');
  });

  it.each(['', 'a/b', 'x'.repeat(129)])('refuses "%s"', (input) => {
    expect(problemsOf(() => key.transform(input))).toEqual([
      'Idempotency-Key must be 1 to 128 letters, digits, ".", "_" or "-"',
    ]);
  });
});
