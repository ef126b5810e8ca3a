import { type DynamicModule, Module } from '@nestjs/common';
import { DemoSharedModule } from '../../demo-shared/src/demo-shared.module.js';
import type { DemoSettings } from '../../demo-shared/src/settings.js';
import { DemoHoldController } from './demo-hold.controller.js';
import { DemoHold } from './demo-hold.service.js';
import { DemoUnwellController } from './demo-unwell.controller.js';
import { DemoUnwell } from './demo-unwell.service.js';
import { ReservationsController } from './reservations.controller.js';
import { Reservations } from './reservations.service.js';
import { StockController } from './stock.controller.js';
import { StockService } from './stock.service.js';

/** Keeps the stock and sets it aside, and stands in the election for the reconciler. */
@Module({})
export class InventoryModule {
  static register(settings: DemoSettings): DynamicModule {
    return {
      module: InventoryModule,
      imports: [DemoSharedModule.register(settings)],
      controllers: [
        ReservationsController,
        StockController,
        ...(settings.demo ? [DemoHoldController, DemoUnwellController] : []),
      ],
      providers: [DemoHold, DemoUnwell, Reservations, StockService],
    };
  }
}
