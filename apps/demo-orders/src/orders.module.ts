import { type DynamicModule, Module } from '@nestjs/common';
import { DemoSharedModule } from '../../demo-shared/src/demo-shared.module.js';
import type { DemoSettings } from '../../demo-shared/src/settings.js';
import { DemoRecommenderController } from './demo-recommender.controller.js';
import { InventoryController } from './inventory.controller.js';
import { InventoryClient } from './inventory-client.service.js';
import { OrderTrail } from './order-trail.service.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { PricesController } from './prices.controller.js';
import { Recommendations } from './recommendations.service.js';
import { Recommender } from './recommender.service.js';
import { ReservationsController } from './reservations.controller.js';
import { ORDERS_TRAFFIC } from './traffic.js';
import { TrafficController } from './traffic.controller.js';
import { UnpricedOrders } from './unpriced-orders.service.js';

/** Takes orders and asks for reservations over HTTP, and stands in the election for the reconciler. */
@Module({})
export class OrdersModule {
  static register(settings: DemoSettings): DynamicModule {
    return {
      module: OrdersModule,
      imports: [DemoSharedModule.register(settings, ORDERS_TRAFFIC)],
      controllers: [
        InventoryController,
        OrdersController,
        PricesController,
        ReservationsController,
        TrafficController,
        ...(settings.demo ? [DemoRecommenderController] : []),
      ],
      providers: [
        InventoryClient,
        OrderTrail,
        OrdersService,
        Recommendations,
        Recommender,
        UnpricedOrders,
      ],
    };
  }
}
