import { join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { GrpcProxy } from '../../../../test/support/grpc-proxy.js';
import { tempFolder } from '../../../../test/support/temp-folder.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { EtcdNoSpaceError, EtcdPermissionDeniedError } from '../client/etcd.errors.js';
import { ConfigStore } from '../config/config.store.js';
import { WatchConfig } from '../config/watch-config.decorator.js';
import type { LeaderTerm } from '../election/leader-term.js';
import { OnElected } from '../election/on-elected.decorator.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { ServiceDiscovery } from '../discovery/service.discovery.js';
import { ServiceRegistry } from '../registry/service.registry.js';
import { EtcdSession } from '../session/etcd-session.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';

const FULL = { code: 8, message: 'NOSPACE', times: 1000 };
const AWAY = { code: 14, message: 'etcdserver: no leader', times: 1000 };
const DENIED = { code: 7, message: 'etcdserver: permission denied', times: 1000 };

@Injectable()
class Pricing {
  readonly terms: LeaderTerm[] = [];
  @WatchConfig('prices') readonly prices!: { readonly perItem: number };
  @OnElected('pricing')
  elected(term: LeaderTerm): void {
    this.terms.push(term);
  }
}

let etcd: EmbeddedEtcd;
let proxy: GrpcProxy;
let file: string;
let namespace: string;
let round = 0;
const apps: TestingModule[] = [];

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start({ logger: false });
});
afterAll(() => etcd.close());
beforeEach(async () => {
  proxy = await GrpcProxy.start({ target: etcd.endpoint });
  namespace = `leaseless-${(round += 1)}`;
  file = join(tempFolder('leaseless'), 'config');
});
afterEach(async () => {
  proxy.clearFaults();
  await Promise.all(apps.splice(0).map((app) => app.close()));
  vi.restoreAllMocks();
  await proxy.close();
});

async function boot(
  config: object,
  providers: (new () => object)[],
  more: object = {},
): Promise<TestingModule> {
  const app = await Test.createTestingModule({
    imports: [
      EtcdCoordinationModule.forRoot({
        endpoints: [proxy.url],
        namespace,
        session: { ttlSeconds: 2 },
        // A start that waits for an election takes longer than the test has.
        timeouts: { registration: 60_000 },
        config,
        ...more,
      }),
    ],
    providers,
  })
    .setLogger(new Logger())
    .compile();
  apps.push(app);
  return app.init();
}

/** An earlier run, which leaves a snapshot. */
async function runBefore(): Promise<void> {
  const writer = await boot({}, []);
  await writer.get(ConfigStore).set('prices', { perItem: 1 });
  await (await boot({ snapshot: { file } }, [Pricing])).close();
  await writer.close();
  apps.length = 0;
}

describe('a start while etcd answers and grants no lease', () => {
  it.each([
    ['its database is full', FULL],
    ['it goes away just now', AWAY],
  ])('serves with a snapshot, and leads when it does: %s', async (_, refusal) => {
    await runBefore();
    const warnings = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const refused = proxy.fail('Lease/LeaseGrant', refusal);
    const app = await boot({ snapshot: { file } }, [Pricing]);

    const pricing = app.get(Pricing);
    expect(pricing.prices).toEqual({ perItem: 1 });
    expect(app.get(EtcdSession).lease).toBeNull();
    const lines = warnings.mock.calls.map(([line]) => String(line)).join('\n');
    expect(lines).toMatch(/starts without a lease on the etcd connection "default": nothing leads/);
    expect(lines).toMatch(/"pricing" \(for Pricing\): etcd has granted no lease yet/);
    refused.remove();
    await waitFor(() => pricing.terms[0]?.isValid(), { what: 'the term' });
  });

  it('serves with a snapshot of instances as well', async () => {
    const lists = { discovery: { snapshot: { file } } };
    const before = await boot({}, [], lists);
    const discovery = before.get(ServiceDiscovery);
    await before.get(ServiceRegistry).register({ name: 'stock', address: 'http://s1:1' });
    await waitFor(() => discovery.instances('stock')[0]?.state === 'up', { what: 's1 to be up' });
    await before.close();
    apps.length = 0;
    proxy.fail('Lease/LeaseGrant', FULL);
    const app = await boot({}, [], lists);
    expect(app.get(EtcdSession).lease).toBeNull();
    proxy.clearFaults();
    await app.get(EtcdSession).ready();
  });

  it('fails without a snapshot', async () => {
    proxy.fail('Lease/LeaseGrant', FULL);
    await expect(boot({}, [])).rejects.toBeInstanceOf(EtcdNoSpaceError);
  });

  it('fails with a snapshot that holds nothing', async () => {
    proxy.fail('Lease/LeaseGrant', FULL);
    await expect(boot({ snapshot: { file } }, [])).rejects.toBeInstanceOf(EtcdNoSpaceError);
  });

  it('fails for what does not pass by itself, whatever the snapshot holds', async () => {
    await runBefore();
    proxy.fail('Lease/LeaseGrant', DENIED);
    const starting = boot({ snapshot: { file } }, [Pricing]);
    await expect(starting).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
  });
});
