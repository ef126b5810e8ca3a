import {
  type DynamicModule,
  Global,
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type Provider,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ConnectionRegistry } from '../module/connection-registry.js';
import type { CoordinationOptions } from '../module/coordination-options.js';
import { optionsToken } from '../module/coordination.tokens.js';
import { coordinationModule } from '../module/etcd-coordination.module.js';
import { readConnectionName, validateOptions } from '../module/validate-options.js';
import { TestFleet } from './fleet/test-fleet.js';
import { TestInstance } from './fleet/test-instance.js';
import type { TestTimeOptions } from './fleet/fleet-options.js';

/** What `EtcdTestingModule.forTest` takes: what `forRoot` takes, but for what leads to an etcd, and all of it optional. */
export interface EtcdTestingOptions
  extends
    TestTimeOptions,
    Partial<Omit<CoordinationOptions, 'endpoints' | 'credentials' | 'auth'>> {}

/** Stands for an endpoint until there is one. */
const NOWHERE = ['127.0.0.1:1'];

/** Of the test's time: an end that a hook of the application's own keeps from coming is not waited for for ever. */
const LONGEST_END_MS = 600_000;

/** The fleet of one of an application that was not started by a fleet. */
@Injectable()
class FleetOfOne implements OnModuleDestroy, OnApplicationShutdown {
  private over = false;

  constructor(
    @Inject(TestFleet) private readonly fleet: TestFleet,
    @Inject(TestInstance) instance: TestInstance,
    @Inject(ModuleRef) modules: ModuleRef,
    @Inject(ConnectionRegistry) private readonly registry: ConnectionRegistry,
  ) {
    instance.adopted(modules);
  }

  /** The application ends: time passes by itself from now on, as far as that needs it. */
  onModuleDestroy(): void {
    try {
      this.fleet.heal();
    } finally {
      void this.fleet.time.until(() => this.over, LONGEST_END_MS).catch(() => undefined);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    try {
      await Promise.all(this.registry.all.map((connection) => connection.close()));
    } finally {
      this.over = true;
    }
    await this.fleet.shutDown(() => Promise.resolve());
  }
}

/**
 * In place of `EtcdCoordinationModule.forRoot` in a test of one application: with an etcd of its own
 * inside the process, that ends with the application.
 *
 * Import it once for an application. `app.get(TestFleet)` has the test's time and etcd,
 * `app.get(TestInstance)` the faults. For several instances, or for a module that brings its own
 * `forRoot`, see {@link TestFleet.start}.
 */
// Not global, so that Nest stops it before the modules that lie deeper.
@Module({})
export class EtcdTestingModule {
  /** @throws {InvalidOptionError} at once, as `forRoot` does */
  static forTest({ time, logger, ...options }: EtcdTestingOptions = {}): DynamicModule {
    const connection = readConnectionName(options.connection);
    const resolved = validateOptions({ ...options, endpoints: NOWHERE });
    const fleet: Provider = {
      provide: TestFleet,
      useFactory: () => TestFleet.empty({ ...(time && { time }), ...(logger && { logger }) }),
    };
    const instance: Provider = {
      provide: TestInstance,
      useFactory: (of: TestFleet) => of.join(resolved.instanceId),
      inject: [TestFleet],
    };
    const redirected: Provider = {
      provide: optionsToken(connection),
      useFactory: (registry: ConnectionRegistry, of: TestFleet, one: TestInstance) =>
        registry.prepare(connection, async () => of.rewriteFor(one)(resolved)),
      inject: [ConnectionRegistry, TestFleet, TestInstance],
    };
    return {
      module: EtcdTestingModule,
      imports: [coordinationModule(connection, [redirected], [FleetModule.of(fleet, instance)])],
      providers: [FleetOfOne],
    };
  }
}

@Global()
@Module({})
class FleetModule {
  static of(...providers: Provider[]): DynamicModule {
    return { module: FleetModule, global: true, providers, exports: [TestFleet, TestInstance] };
  }
}
