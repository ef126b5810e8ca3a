import { Injectable, Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { ConfigChange } from '../../../libs/etcd-coordination/src/config/config-change.js';
import { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import { WatchConfig } from '../../../libs/etcd-coordination/src/config/watch-config.decorator.js';
import { EtcdCoordinationModule } from '../../../libs/etcd-coordination/src/module/etcd-coordination.module.js';
import { compact, deleteKey, putKey } from '../../support/etcd-admin.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';

const Limits = z.object({ perMinute: z.coerce.number(), burst: z.number().default(5) });
type Limits = z.infer<typeof Limits>;
const FALLBACK: Limits = { perMinute: 1, burst: 1 };

@Injectable()
class Limiter {
  readonly told: { perMinute: number; previous: number | undefined; source: string }[] = [];

  @WatchConfig('limits', { schema: Limits, default: FALLBACK, format: 'yaml' })
  readonly limits!: Limits;

  @WatchConfig('limits', { schema: Limits, default: FALLBACK, format: 'yaml' })
  onLimits({ perMinute }: Limits, { previous, source }: ConfigChange<Limits>): void {
    this.told.push({ perMinute, previous: previous?.perMinute, source });
  }
}

const servers = await serversUnderTest();

describe.each(servers)('@WatchConfig in two instances of a service, on $name', ({ start }) => {
  let server: ServerUnderTest;
  let network: TcpProxy;
  let namespace: string;
  let round = 0;
  let apps: TestingModule[];
  let one: Limiter;
  let two: Limiter;

  beforeAll(async () => {
    server = await start();
    network = await TcpProxy.start({ target: server.endpoint });
  });
  afterAll(async () => {
    await network?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    namespace = `nest-${(round += 1)}`;
    await put('shared', 'perMinute: "60"\n');
    apps = await Promise.all(['one', 'two'].map(boot));
    [one, two] = apps.map((app) => app.get(Limiter)) as [Limiter, Limiter];
  });
  afterEach(async () => {
    await network.pass();
    await Promise.all(apps.map((app) => app.close()));
    vi.restoreAllMocks();
  });

  const keyOf = (layer: string) => `${namespace}/config/limits/live/layer/${layer}`;
  const put = (layer: string, document: string) => putKey(server.endpoint, keyOf(layer), document);

  async function boot(instanceId: string): Promise<TestingModule> {
    const app = await Test.createTestingModule({
      imports: [
        EtcdCoordinationModule.forRoot({
          endpoints: [network.url],
          namespace,
          instanceId,
          service: { name: 'orders', zone: 'eu' },
        }),
      ],
      providers: [Limiter],
    })
      .setLogger(new Logger())
      .compile();
    return app.init();
  }

  it('shows each its own layers, and tells both of each change once', async () => {
    expect(one.limits).toEqual({ perMinute: 60, burst: 5 });
    await put('instance/two', 'burst: 9\n');
    await waitFor(() => two.limits.burst === 9, { what: 'the layer of one instance' });
    await put('zone/eu', 'perMinute: 70\n');
    await waitFor(() => one.limits.perMinute === 70 && two.limits.perMinute === 70, {
      what: 'the layer of both',
    });

    expect(one.limits).toEqual({ perMinute: 70, burst: 5 });
    expect(two.limits).toEqual({ perMinute: 70, burst: 9 });
    expect(one.told).toEqual([
      { perMinute: 60, previous: undefined, source: 'etcd' },
      { perMinute: 70, previous: 60, source: 'etcd' },
    ]);
  });

  it.each([
    ['cannot be parsed', 'perMinute: [1\n'],
    ['the schema refuses', 'perMinute: many\n'],
    ['pollutes', '__proto__: { perMinute: 5 }\n'],
  ])('keeps the last good value when a push %s', async (_, document) => {
    const errors = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const store = apps[0]!.get(ConfigStore);
    await put('shared', document);
    await waitFor(() => store.status()[0]?.rejected, { what: 'the refusal' });
    expect(one.limits).toEqual({ perMinute: 60, burst: 5 });
    expect(errors.mock.calls.map(([line]) => String(line))).toContainEqual(
      expect.stringMatching(/"limits".*The last good value stands\.$/),
    );

    await put('shared', 'perMinute: 61\n');
    await waitFor(() => one.limits.perMinute === 61, { what: 'the good one' });
    expect(store.status()[0]?.rejected).toBeNull();
    expect(one.told.map(({ perMinute }) => perMinute)).toEqual([60, 61]);
  });

  it('takes its default when the document is deleted', async () => {
    await deleteKey(server.endpoint, keyOf('shared'));
    await waitFor(() => one.limits.perMinute === 1, { what: 'the default' });
    expect(one.told.at(-1)).toEqual({ perMinute: 1, previous: 60, source: 'default' });
  });

  it('misses nothing of an outage, not even what was compacted meanwhile', async () => {
    await network.refuse();
    await put('shared', 'perMinute: 80\n');
    await put('shared', 'perMinute: 81\n');
    await compact(server.endpoint);
    expect(one.limits.perMinute).toBe(60);
    await network.pass();
    await waitFor(() => one.limits.perMinute === 81 && two.limits.perMinute === 81, {
      what: 'the newest value',
    });
  });
});
