import { Controller, Get, Param } from '@nestjs/common';
import type { HealthWord, InstanceState } from 'nestjs-etcd-coordination';
import { parseSku, ParseWith } from '../../demo-shared/src/http/parse-with.pipe.js';
import { type Availability, InventoryClient } from './inventory-client.service.js';

/** A process of demo-inventory, as this process of demo-orders knows it. */
export interface InventoryInstanceView {
  readonly id: string;
  readonly address: string;
  readonly zone: string | null;
  readonly state: InstanceState;
  /** Who says what of its health. */
  readonly words: readonly HealthWord[];
}

/** What demo-orders knows of demo-inventory, and asks it by its name. */
@Controller('inventory')
export class InventoryController {
  constructor(private readonly inventory: InventoryClient) {}

  /** Who there is: read from what this process knows, without a call. */
  @Get()
  instances(): InventoryInstanceView[] {
    return this.inventory.instances.map(({ id, address, zone, state, words }) => ({
      ...{ id, address, zone, state, words },
    }));
  }

  /** What is on hand of an article. */
  @Get(':sku')
  availability(@Param('sku', new ParseWith(parseSku)) sku: string): Promise<Availability> {
    return this.inventory.availability(sku);
  }
}
