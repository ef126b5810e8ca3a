import {
  parseId,
  parseObject,
  parseQuantity,
  parseSku,
  type Problems,
} from '../../demo-shared/src/http/parse-with.pipe.js';

/** The body of `POST /reservations`. */
export interface ReservationRequest {
  /** The customer's own name for it: the same one again asks for the same reservation. */
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
}

const parseReservationId = parseId('id');
const parseReservedQuantity = parseQuantity(1);

export function parseReservationRequest(input: unknown, problems: Problems): ReservationRequest {
  const body = parseObject(input, ['id', 'sku', 'quantity'], problems);
  if (problems.length > 0) return { id: '', sku: '', quantity: 0 };
  return {
    id: parseReservationId(body.id, problems),
    sku: parseSku(body.sku, problems),
    quantity: parseReservedQuantity(body.quantity, problems),
  };
}
