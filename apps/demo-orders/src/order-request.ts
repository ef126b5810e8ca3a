import {
  parseId,
  parseObject,
  parseQuantity,
  parseSku,
  type Problems,
} from '../../demo-shared/src/http/parse-with.pipe.js';

/** The body of `POST /orders`. */
export interface OrderRequest {
  readonly sku: string;
  readonly quantity: number;
}

const parseOrderedQuantity = parseQuantity(1);
const parseKey = parseId('Idempotency-Key');

export function parseOrderRequest(input: unknown, problems: Problems): OrderRequest {
  const body = parseObject(input, ['sku', 'quantity'], problems);
  if (problems.length > 0) return { sku: '', quantity: 0 };
  return {
    sku: parseSku(body.sku, problems),
    quantity: parseOrderedQuantity(body.quantity, problems),
  };
}

/** The header may be left out. */
export function parseIdempotencyKey(input: unknown, problems: Problems): string | null {
  return input === undefined ? null : parseKey(input, problems);
}
