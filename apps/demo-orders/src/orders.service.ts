import { randomUUID } from 'node:crypto';
import {
  ConflictException,
  Inject,
  Injectable,
  UnprocessableEntityException,
} from '@nestjs/common';
import type { Etcd3 } from 'etcd3';
import { InjectEtcd } from 'nestjs-etcd-coordination';
import { PriceList } from '../../demo-shared/src/config/price-list.service.js';
import { DemoKeys } from '../../demo-shared/src/data/demo-keys.js';
import type { Order } from '../../demo-shared/src/data/model.js';
import { listVersioned, readVersioned } from '../../demo-shared/src/data/versioned.js';
import { DEMO_SETTINGS, type DemoSettings } from '../../demo-shared/src/settings.js';
import type { OrderRequest } from './order-request.js';
import { OrderTrail } from './order-trail.service.js';
import { UnpricedOrders } from './unpriced-orders.service.js';

/** Takes orders and keeps them in etcd, where whoever leads will find them. */
@Injectable()
export class OrdersService {
  constructor(
    @InjectEtcd() private readonly etcd: Etcd3,
    private readonly keys: DemoKeys,
    private readonly priceList: PriceList,
    private readonly unpriced: UnpricedOrders,
    private readonly trail: OrderTrail,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  /**
   * Takes an order, at the price of now. The same `idempotencyKey` again answers with the order
   * that it made before, so that a caller whose answer was lost can repeat its request. Whoever gets
   * an answer can rely on it that the order's record stands.
   * @throws ConflictException if the key was used for another order.
   * @throws UnprocessableEntityException if the article has no price.
   */
  async take(request: OrderRequest, idempotencyKey: string | null): Promise<Order> {
    const id = idempotencyKey ?? randomUUID();
    const { instanceId } = this.settings;
    const price = this.priceList.of(request.sku);
    if (price !== null) {
      const taken = { takenBy: instanceId, takenAt: new Date().toISOString() };
      const order: Order = { id, ...request, price, status: 'pending', ...taken };
      if (await this.put(order)) {
        this.unpriced.count(true);
        await this.trail.put(order);
        return order;
      }
    }
    const earlier = await this.find(id);
    if (earlier?.sku === request.sku && earlier.quantity === request.quantity) {
      // Whoever took it may not have come to that.
      await this.trail.put(earlier);
      return earlier;
    }
    if (earlier) {
      throw new ConflictException(`The Idempotency-Key ${id} was used for another order.`);
    }
    this.unpriced.count(false);
    throw new UnprocessableEntityException(
      `There is no price for ${request.sku} at ${instanceId}, so it is not sold here now.`,
    );
  }

  async find(id: string): Promise<Order | null> {
    return (await readVersioned<Order>(this.etcd, this.keys.order(id)))?.value ?? null;
  }

  /** All orders, oldest first. */
  async list(): Promise<Order[]> {
    const orders = await listVersioned<Order>(this.etcd, this.keys.orders);
    return orders.map(({ value }) => value);
  }

  /** Whether the order was put; false if there is one of its id. */
  private async put(order: Order): Promise<boolean> {
    const { id, sku } = order;
    const key = this.keys.order(id);
    const answer = await this.etcd
      .if(key, 'Create', '==', '0')
      .then(
        this.etcd.put(key).value(JSON.stringify(order)),
        this.etcd.put(this.keys.pendingOrder(id)).value(JSON.stringify({ sku })),
      )
      .commit();
    return answer.succeeded;
  }
}
