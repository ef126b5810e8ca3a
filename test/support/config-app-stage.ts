import { Logger, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { z } from 'zod';
import { ConfigStore } from '../../libs/etcd-coordination/src/config/config.store.js';
import { EmbeddedEtcd } from '../../libs/etcd-coordination/src/embedded/index.js';
import type { CoordinationOptions } from '../../libs/etcd-coordination/src/module/coordination-options.js';
import { EtcdCoordinationModule } from '../../libs/etcd-coordination/src/module/etcd-coordination.module.js';

/** What the suites read. */
export interface Prices {
  readonly perItem: number;
}
export const Prices = z.object({ perItem: z.number() });

/** Applications with configurations, on an etcd inside the process; a namespace for each test. */
export class ConfigAppStage {
  etcd!: EmbeddedEtcd;
  namespace = '';
  /** An application of its own, by which configurations are written. */
  writer!: TestingModule;
  private round = 0;
  private readonly apps: TestingModule[] = [];

  async open(): Promise<void> {
    this.etcd = await EmbeddedEtcd.start({ logger: false });
  }

  async begin(): Promise<void> {
    this.namespace = `ns-${(this.round += 1)}`;
    this.writer = await this.boot({});
    await this.set('prices', { perItem: 1 });
  }

  async end(): Promise<void> {
    await Promise.all(this.apps.splice(0).map((app) => app.close()));
    vi.restoreAllMocks();
  }

  close(): Promise<void> {
    return this.etcd.close();
  }

  readonly options = (more: Partial<CoordinationOptions> = {}): CoordinationOptions => ({
    endpoints: [this.etcd.endpoint],
    namespace: this.namespace,
    ...more,
  });

  readonly compile = async (
    metadata: ModuleMetadata,
    connections = [this.options()],
  ): Promise<TestingModule> => {
    const app = await Test.createTestingModule({
      ...metadata,
      imports: [
        ...(metadata.imports ?? []),
        ...connections.map((connection) => EtcdCoordinationModule.forRoot(connection)),
      ],
    })
      .setLogger(new Logger())
      .compile();
    this.apps.push(app);
    return app;
  };

  readonly boot = async (metadata: ModuleMetadata, connections?: CoordinationOptions[]) =>
    (await this.compile(metadata, connections)).init();

  readonly set = (key: string, value: unknown) => this.writer.get(ConfigStore).set(key, value);
}

/** A stage for the tests of a file. */
export function useConfigApps(): ConfigAppStage {
  const stage = new ConfigAppStage();
  beforeAll(() => stage.open());
  beforeEach(() => stage.begin());
  afterEach(() => stage.end());
  afterAll(() => stage.close());
  return stage;
}
