import type { INestApplication, LoggerService } from '@nestjs/common';
import type { TestingModuleBuilder } from '@nestjs/testing';

/** By which time a test lives. */
export interface TestTimeOptions {
  /**
   * `virtual`, the default: time stands still until the test lets it go on. `real` is the machine's,
   * for what goes by that.
   */
  readonly time?: 'virtual' | 'real';
  /** Where the applications' logs go besides `fleet.logs`. Default nowhere. */
  readonly logger?: LoggerService;
}

/** How one instance is started. */
export interface InstanceOptions {
  /** Its name, and `instanceId`. Default `instance-1`, `instance-2`, … */
  readonly name?: string;
  /** Whether it serves HTTP, on a free port of 127.0.0.1. Default false: its providers run all the same. */
  readonly http?: boolean;
  /**
   * The port that it serves HTTP on, for one that is registered and must know where it will be. Default
   * a free one.
   */
  readonly port?: number;
  /** Changes the module before it is compiled, such as by `builder.overrideProvider(X).useValue(…)`. */
  readonly override?: (builder: TestingModuleBuilder, name: string) => TestingModuleBuilder;
  /** Prepares the HTTP application before it starts, as `main.ts` does: pipes, filters, prefixes. */
  readonly configure?: (app: INestApplication, name: string) => void | Promise<void>;
}

/** How a fleet is started. */
export interface FleetOptions extends TestTimeOptions, Omit<InstanceOptions, 'name' | 'port'> {
  /** How many instances of the module, or their names. Default 1. */
  readonly instances?: number | readonly string[];
}
