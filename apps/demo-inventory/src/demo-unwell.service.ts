import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ServiceRegistry } from 'nestjs-etcd-coordination';

/** A health check of this process that can be made to fail, as one of a database would by itself. */
@Injectable()
export class DemoUnwell implements OnModuleInit {
  isUnwell = false;

  constructor(private readonly registry: ServiceRegistry) {}

  onModuleInit(): void {
    this.registry.addHealthCheck(
      'the shelves',
      () => !this.isUnwell || { status: 'down', reason: 'they are out of reach' },
    );
  }
}
