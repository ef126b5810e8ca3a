import {
  HttpException,
  Inject,
  Injectable,
  Logger,
  ServiceUnavailableException,
} from '@nestjs/common';
import type { Reservation } from '../../demo-shared/src/data/model.js';
import { DEMO_SETTINGS, type DemoSettings } from '../../demo-shared/src/settings.js';
import type { OrderRequest } from './order-request.js';

/** The first has little time to answer, and those that are asked after it more and more. */
const FIRST_ANSWER_WITHIN_MS = 2000;
const MORE_TIME_EACH = 4;
const ATTEMPTS = 3;

/** What the loss of the article's lock, or its being held for too long, is answered with. */
const LOCK_TROUBLE: readonly unknown[] = ['LOCK_BUSY', 'LOCK_LOST', 'STALE_FENCE'];

/** Asks the processes of demo-inventory for stock. */
@Injectable()
export class InventoryClient {
  private readonly logger = new Logger(InventoryClient.name);

  constructor(@Inject(DEMO_SETTINGS) private readonly settings: DemoSettings) {}

  /**
   * Has stock set aside under `id`. A process that does not answer, or has lost the article's lock
   * on the way, is left for the next one: the id makes that safe.
   *
   * @throws HttpException as the inventory answered, if it refused
   * @throws ServiceUnavailableException if none answered
   */
  async reserve(id: string, { sku, quantity }: OrderRequest): Promise<Reservation> {
    const urls = inTurn(this.settings.inventory, sku);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const url = urls[attempt % urls.length]!;
      const withinMs = FIRST_ANSWER_WITHIN_MS * MORE_TIME_EACH ** attempt;
      try {
        return await ask(url, { id, sku, quantity }, withinMs);
      } catch (error) {
        if (error instanceof HttpException) throw error;
        this.logger.warn(
          `${url} has not reserved ${quantity} of ${sku} as ${id}: ${String(error)}`,
        );
      }
    }
    throw new ServiceUnavailableException(
      `No process of demo-inventory has reserved ${quantity} of ${sku} as ${id}. Try again with that Idempotency-Key.`,
    );
  }
}

/**
 * The addresses in the order in which they are asked for an article: the same one first each time,
 * so that an article's lock is mostly passed on within one process.
 */
export function inTurn(urls: readonly string[], sku: string): string[] {
  let sum = 0;
  for (const char of sku) sum += char.codePointAt(0)!;
  const first = sum % urls.length;
  return [...urls.slice(first), ...urls.slice(0, first)];
}

async function ask(url: string, body: object, withinMs: number): Promise<Reservation> {
  const response = await fetch(`${url}/reservations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(withinMs),
  });
  const answer = (await response.json()) as Reservation & { message?: string; code?: string };
  if (response.ok) return answer;
  // What the customer's own request has caused, another process would answer the same.
  const isFinal = response.status < 500 && !LOCK_TROUBLE.includes(answer.code);
  if (isFinal) throw new HttpException(answer, response.status);
  throw new Error(`${response.status} ${answer.message ?? ''}`);
}
