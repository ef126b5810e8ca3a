import { type DynamicModule, Module } from '@nestjs/common';
import { DemoSharedModule } from '../../demo-shared/src/demo-shared.module.js';
import type { DemoSettings } from '../../demo-shared/src/settings.js';
import { StockController } from './stock.controller.js';
import { StockService } from './stock.service.js';

/** Keeps the stock, and stands in the election for the reconciler. */
@Module({})
export class InventoryModule {
  static register(settings: DemoSettings): DynamicModule {
    return {
      module: InventoryModule,
      imports: [DemoSharedModule.register(settings)],
      controllers: [StockController],
      providers: [StockService],
    };
  }
}
