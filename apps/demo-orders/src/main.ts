import 'reflect-metadata';
import { runService } from '../../demo-shared/src/run-service.js';
import { OrdersModule } from './orders.module.js';

await runService('demo-orders', 3001, (settings) => OrdersModule.register(settings));
