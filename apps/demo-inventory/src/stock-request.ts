import {
  parseObject,
  parseQuantity,
  type Problems,
} from '../../demo-shared/src/http/parse-with.pipe.js';

/** The body of `PUT /stock/:sku`. */
export interface StockRequest {
  readonly quantity: number;
}

const parseCountedQuantity = parseQuantity(0);

export function parseStockRequest(input: unknown, problems: Problems): StockRequest {
  const body = parseObject(input, ['quantity'], problems);
  if (problems.length > 0) return { quantity: 0 };
  return { quantity: parseCountedQuantity(body.quantity, problems) };
}
