import type { INestApplication, INestApplicationContext } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { ConnectionRegistry } from '../../module/connection-registry.js';
import { OPTIONS_REWRITE, type OptionsRewrite } from '../../module/coordination.tokens.js';
import { TestingUsageError } from '../testing.errors.js';
import type { InstanceOptions } from './fleet-options.js';
import type { AppModule } from './test-fleet.js';
import type { TestLog } from './test-log.js';

/** An application that has started. */
export interface StartedApplication {
  readonly app: INestApplicationContext;
  /** Where it serves HTTP; null if it does not. */
  readonly url: string | null;
}

/** What an instance is started with. */
export interface StartGround {
  readonly name: string;
  readonly log: TestLog;
  readonly rewrite: OptionsRewrite;
}

let warm: Promise<unknown> | undefined;

/**
 * The first module of a process that is compiled for a test has Nest load Express and its microservices, which
 * takes hundreds of milliseconds and none of the test's time: before it is looked at how long a start takes.
 */
export async function warmUp(): Promise<void> {
  await (warm ??= Test.createTestingModule({}).compile());
}

/** The start of one application, of which nothing stays when it fails or is given up. */
export class ApplicationStart {
  private modules: ModuleRef | null = null;
  private app: INestApplicationContext | null = null;
  private givenUp = false;

  constructor(
    private readonly ground: StartGround,
    private readonly module: AppModule,
    private readonly options: InstanceOptions,
  ) {}

  /** @throws what the application, or the test's part in its start, fails with */
  async run(): Promise<StartedApplication> {
    const compiled = await this.builder().compile();
    this.app = compiled;
    const url = this.givenUp ? null : await this.bringUp(compiled);
    if (this.givenUp) {
      // Nobody waits for it any more, and nobody else would end it.
      await this.app.close();
      throw new TestingUsageError(`The start of "${this.ground.name}" was given up.`);
    }
    return { app: this.app, url };
  }

  /**
   * Closes the connections to etcd that were made, also those that are yet to come; the rest of the
   * application as soon as it comes up.
   */
  async giveUp(): Promise<void> {
    this.givenUp = true;
    await this.registry()?.abandon();
  }

  private builder(): TestingModuleBuilder {
    const { name, log, rewrite } = this.ground;
    const plain = Test.createTestingModule({ imports: [this.module] })
      .setLogger(log)
      .overrideProvider(OPTIONS_REWRITE)
      // Compiling may fail, and leaves nothing then from which its providers could be had.
      .useFactory({
        factory: (modules: ModuleRef): OptionsRewrite => {
          this.modules = modules;
          return rewrite;
        },
        inject: [ModuleRef],
      });
    return this.options.override?.(plain, name) ?? plain;
  }

  private async bringUp(compiled: TestingModule): Promise<string | null> {
    const { http = false, port = 0, configure } = this.options;
    try {
      if (!http) {
        await compiled.init();
        return null;
      }
      const server: INestApplication = compiled.createNestApplication({ logger: this.ground.log });
      this.app = server;
      await configure?.(server, this.ground.name);
      await server.listen(port, '127.0.0.1');
      return await server.getUrl();
    } catch (error) {
      // Why it did not start is what is to be known.
      await this.app?.close().catch(() => undefined);
      throw error;
    }
  }

  /** Null before there is one: then nothing is open. */
  private registry(): ConnectionRegistry | null {
    try {
      return this.modules?.get(ConnectionRegistry, { strict: false }) ?? null;
    } catch {
      return null;
    }
  }
}
