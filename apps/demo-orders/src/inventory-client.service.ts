import {
  HttpException,
  Injectable,
  Logger,
  type OnModuleInit,
  ServiceUnavailableException,
} from '@nestjs/common';
import { ServiceDiscovery, type ServiceInstance } from 'nestjs-etcd-coordination';
import { INVENTORY } from '../../demo-shared/src/data/demo-keys.js';
import type { Reservation, StockItem } from '../../demo-shared/src/data/model.js';
import type { OrderRequest } from './order-request.js';

/** The first has little time to answer, and those that are asked after it more and more. */
const RESERVED_WITHIN_MS = 2000;
const MORE_TIME_EACH = 4;
const ATTEMPTS = 3;
/** A look at the stock takes a few milliseconds. */
const LOOKED_UP_WITHIN_MS = 500;

/** What the loss of the article's lock, or its being held for too long, is answered with. */
const LOCK_TROUBLE: readonly unknown[] = ['LOCK_BUSY', 'LOCK_LOST', 'STALE_FENCE'];

/** What is on hand of an article, and which process of demo-inventory says so. */
export interface Availability extends StockItem {
  readonly servedBy: string;
}

/** Asks the processes of demo-inventory, wherever they are. */
@Injectable()
export class InventoryClient implements OnModuleInit {
  private readonly logger = new Logger(InventoryClient.name);

  constructor(private readonly discovery: ServiceDiscovery) {}

  /** Who they are is known before the first customer comes. */
  onModuleInit(): void {
    this.discovery.pool(INVENTORY);
  }

  /** Who they are, as this process knows it. */
  get instances(): readonly ServiceInstance[] {
    return this.discovery.instances(INVENTORY);
  }

  /**
   * Has stock set aside under `id`. The same process is asked first for the same article, so that the
   * article's lock is mostly passed on within it. One that does not answer, or has lost the lock on the
   * way, is left for the next one: the id makes that safe.
   *
   * @throws HttpException as the inventory answered, if it refused
   * @throws ServiceUnavailableException if none answered
   */
  async reserve(id: string, { sku, quantity }: OrderRequest): Promise<Reservation> {
    try {
      return await this.discovery.call(
        INVENTORY,
        ({ address }, { signal, attempt }) => {
          const withinMs = RESERVED_WITHIN_MS * MORE_TIME_EACH ** (attempt - 1);
          const within = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
          return askToReserve(address, { id, sku, quantity }, within);
        },
        {
          ...{ hashKey: sku, attempts: ATTEMPTS, idempotent: true },
          isFailure: (error) => error instanceof NotReserved,
        },
      );
    } catch (error) {
      if (error instanceof HttpException) throw error;
      this.logger.warn(`${quantity} of ${sku} are not reserved as ${id}: ${String(error)}`);
      throw new ServiceUnavailableException(
        `No process of ${INVENTORY} has reserved ${quantity} of ${sku} as ${id}. Try again with that Idempotency-Key.`,
      );
    }
  }

  /**
   * What is on hand of an article, as whichever process says that is quickest.
   *
   * @throws HttpException as the inventory answered
   * @throws ServiceUnavailableException if none answered
   */
  async availability(sku: string): Promise<Availability> {
    const answer = await this.discovery
      .fetch(`service://${INVENTORY}/stock/${encodeURIComponent(sku)}`, {
        timeoutMs: LOOKED_UP_WITHIN_MS,
      })
      .catch((error: unknown) => {
        this.logger.warn(`The stock of ${sku} is not known: ${String(error)}`);
        throw new ServiceUnavailableException(`No process of ${INVENTORY} has answered.`);
      });
    const body = (await answer.json()) as Availability;
    if (!answer.ok) throw new HttpException(body, answer.status);
    return body;
  }
}

/** A process of demo-inventory that could not do it; another one may. */
class NotReserved extends Error {}

async function askToReserve(
  address: string,
  body: object,
  signal: AbortSignal,
): Promise<Reservation> {
  const response = await fetch(`${address}/reservations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  const answer = (await response.json()) as Reservation & { message?: string; code?: string };
  if (response.ok) return answer;
  // What the customer's own request has caused, another process would answer the same.
  const isFinal = response.status < 500 && !LOCK_TROUBLE.includes(answer.code);
  if (isFinal) throw new HttpException(answer, response.status);
  throw new NotReserved(`${address} answered ${response.status} ${answer.message ?? ''}`);
}
