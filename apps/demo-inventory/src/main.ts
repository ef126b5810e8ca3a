import 'reflect-metadata';
import { runService } from '../../demo-shared/src/run-service.js';
import { InventoryModule } from './inventory.module.js';

await runService('demo-inventory', 3011, (settings) => InventoryModule.register(settings));
