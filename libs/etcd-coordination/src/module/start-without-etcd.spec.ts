import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { TcpProxy } from '../../../../test/support/tcp-proxy.js';
import { tempFolder } from '../../../../test/support/temp-folder.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { EtcdClient } from '../client/etcd-client.js';
import { EtcdConnectError } from '../client/etcd-connect.error.js';
import { ConfigUnavailableError } from '../config/config.errors.js';
import { ConfigStore } from '../config/config.store.js';
import { SnapshotInUseError } from '../config/snapshot/snapshot.errors.js';
import { WatchConfig } from '../config/watch-config.decorator.js';
import type { LeaderTerm } from '../election/leader-term.js';
import { ServiceDiscovery } from '../discovery/service.discovery.js';
import { OnElected } from '../election/on-elected.decorator.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { ServiceRegistry } from '../registry/service.registry.js';
import { EtcdSession } from '../session/etcd-session.js';
import type { CoordinationOptions } from './coordination-options.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';

interface Prices {
  readonly perItem: number;
}

@Injectable()
class Pricing {
  readonly terms: LeaderTerm[] = [];
  @WatchConfig('prices') readonly prices!: Prices;
  @OnElected('pricing')
  elected(term: LeaderTerm): void {
    this.terms.push(term);
  }
}

let etcd: EmbeddedEtcd;
let network: TcpProxy;
let file: string;
let namespace: string;
let round = 0;
const apps: TestingModule[] = [];

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start({ logger: false });
});
afterAll(() => etcd.close());
beforeEach(async () => {
  network = await TcpProxy.start({ target: etcd.endpoint });
  namespace = `away-${(round += 1)}`;
  file = join(tempFolder('away'), 'config');
});
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  vi.restoreAllMocks();
  await network.close();
});

const options = (more: Partial<CoordinationOptions> = {}): CoordinationOptions => ({
  endpoints: [network.url],
  namespace,
  session: { ttlSeconds: 2 },
  // A start that waits for anything but the connection takes longer than the test has.
  timeouts: { read: 60_000, registration: 60_000 },
  config: { snapshot: { file } },
  ...more,
});

async function boot(
  connections: CoordinationOptions[] = [options()],
  providers: (new () => object)[] = [Pricing],
): Promise<TestingModule> {
  const app = await Test.createTestingModule({
    imports: connections.map((connection) => EtcdCoordinationModule.forRoot(connection)),
    providers,
  })
    .setLogger(new Logger())
    .compile();
  apps.push(app);
  return app.init();
}

/** An earlier run, which leaves a snapshot. */
async function runBefore(perItem = 1): Promise<void> {
  const writer = await boot([options({ config: {} })], []);
  await writer.get(ConfigStore).set('prices', { perItem });
  await (await boot()).close();
}

/** What a file holds as soon as it has that. */
async function readUntil(path: string, what: RegExp): Promise<Buffer> {
  let data = Buffer.alloc(0);
  const look = async () => {
    data = await readFile(path).catch(() => data);
    return what.test(data.toString());
  };
  await waitFor(look, { what: `${path} to be written` });
  return data;
}

describe('a start while etcd is away', () => {
  it.each([
    ['refuses', () => network.refuse()],
    ['swallows everything', async () => network.blackhole()],
  ])('serves from the snapshot, and leads when etcd is back: it %s', async (_, outage) => {
    await runBefore();
    await outage();
    const app = await boot([options({ timeouts: { ...options().timeouts, connect: 500 } })]);
    const pricing = app.get(Pricing);

    expect(pricing.prices).toEqual({ perItem: 1 });
    expect(app.get(ConfigStore).status()).toMatchObject([{ source: 'snapshot', synced: false }]);
    expect(app.get(EtcdClient).isAwaited).toBe(true);
    expect(app.get(EtcdSession).state).toBe('connecting');
    await network.pass();
    await waitFor(() => pricing.terms[0]?.isValid(), { what: 'the term' });
    await waitFor(() => app.get(ConfigStore).status()[0]?.source === 'etcd', { what: 'etcd' });
    expect(pricing.prices).toEqual({ perItem: 1 });
  });

  it('says where the configuration comes from, and that nothing leads', async () => {
    await runBefore();
    await network.refuse();
    const warnings = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await boot();

    const lines = warnings.mock.calls.map(([line]) => String(line)).join('\n');
    expect(lines).toMatch(
      /could not be made.*refused.*comes from the snapshot ".*config", written at 2.*nothing leads until etcd is back\./,
    );
    expect(lines).toMatch(/"prices" is read from the snapshot of 2/);
    expect(lines).toMatch(
      /without standing in the election "pricing" \(for Pricing\): etcd is away/,
    );
  });

  it('knows the services of its snapshot, from the first call on', async () => {
    const discovery = { snapshot: { file: `${file}.services` } };
    await runBefore();
    const before = await boot([options({ discovery })]);
    await before.get(ServiceRegistry).register({ name: 'stock', id: 's1', address: 'http://s1:1' });
    await waitFor(() => before.get(ServiceDiscovery).instances('stock')[0]?.state === 'up', {
      what: 's1 to be up',
    });
    // An application that is killed takes no leave, and its instance stays in the snapshot.
    const list = await readUntil(`${file}.services`, /"state\\":\\"up/);
    await before.close();
    await writeFile(`${file}.services`, list);

    await network.refuse();
    const app = await boot([options({ discovery })]);
    const known = app.get(ServiceDiscovery);
    await known.ready('stock');
    expect(known.choose('stock').address).toBe('http://s1:1');
    expect(known.statuses()).toMatchObject([{ source: 'snapshot' }]);
  });

  it('knows them as well if nothing else is kept, and says where they come from', async () => {
    const discovery = { snapshot: { file: `${file}.services` } };
    const before = await boot([options({ config: {}, discovery })], []);
    await before.get(ServiceRegistry).register({ name: 'stock', id: 's1', address: 'http://s1:1' });
    await waitFor(() => before.get(ServiceDiscovery).instances('stock')[0]?.state === 'up', {
      what: 's1 to be up',
    });
    const list = await readUntil(`${file}.services`, /"state\\":\\"up/);
    await before.close();
    await writeFile(`${file}.services`, list);

    await network.refuse();
    const warnings = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const app = await boot([options({ config: {}, discovery })], []);
    const known = app.get(ServiceDiscovery);
    await known.ready('stock');
    expect(known.choose('stock').address).toBe('http://s1:1');
    expect(warnings.mock.calls.join('\n')).toMatch(
      /starts without it: the instances that it calls come from the snapshot ".*services", written at 2/,
    );
    await network.pass();
    await waitFor(() => app.get(EtcdSession).lease, { what: 'a lease' });
  });

  it('fails where no instances were kept yet, and says that they would have helped', async () => {
    await network.refuse();
    const discovery = { snapshot: { file: `${file}.services` } };
    const starting = boot([options({ config: {}, discovery })], []);
    await expect(starting).rejects.toThrow(
      /A snapshot of instances would have let the application start .* nothing in ".*services" yet/,
    );
  });

  it('fails as ever without a snapshot, and says nothing of one', async () => {
    await network.refuse();
    const starting = boot([options({ config: {} })]);

    await expect(starting).rejects.toBeInstanceOf(EtcdConnectError);
    await expect(starting).rejects.not.toThrow(/snapshot/);
  });

  it('fails where there is none yet, and says that it would have helped', async () => {
    await network.refuse();
    const starting = boot();

    await expect(starting).rejects.toBeInstanceOf(EtcdConnectError);
    await expect(starting).rejects.toMatchObject({ failures: [{ reason: 'refused' }] });
    await expect(starting).rejects.toThrow(
      /A configuration snapshot would have let the application start all the same\. There is nothing in ".*config" yet\.$/,
    );
  });

  it('fails where it cannot be used, and says why', async () => {
    await writeFile(file, 'no snapshot at all\n');
    await network.refuse();
    const starting = boot();

    await expect(starting).rejects.toBeInstanceOf(EtcdConnectError);
    await expect(starting).rejects.toThrow(
      /would have let the application start all the same\. The configuration snapshot ".*config" is passed over: it /,
    );
  });

  it('fails for what is no outage, whatever the snapshot holds', async () => {
    await runBefore();
    // Something listens there, and speaks no TLS.
    const starting = boot([options({ endpoints: [network.url.replace('http', 'https')] })]);

    await expect(starting).rejects.toMatchObject({ failures: [{ reason: 'tls' }] });
    await expect(starting).rejects.not.toThrow(/snapshot/);
  });

  it('fails where the snapshot lacks a configuration, naming it and who watches it', async () => {
    class More {
      @WatchConfig('more') readonly more!: unknown;
    }
    Injectable()(More);
    await runBefore();
    await network.refuse();
    const starting = boot([options()], [Pricing, More]);

    await expect(starting).rejects.toBeInstanceOf(ConfigUnavailableError);
    await expect(starting).rejects.toThrow(/"more" cannot be read.*It is watched by More\.more\.$/);
  });

  it('gives the snapshot free when it fails', async () => {
    await network.refuse();
    await expect(boot()).rejects.toBeInstanceOf(EtcdConnectError);
    await network.pass();
    await expect(runBefore()).resolves.toBeUndefined();
  });

  it('leaves the other connections as they are', async () => {
    await runBefore();
    await network.refuse();
    const reports = { endpoints: [etcd.endpoint], config: {}, connection: 'reports' };
    const app = await boot([options(), options(reports)]);

    expect(app.get(Pricing).prices).toEqual({ perItem: 1 });
    expect(app.get(EtcdSession).lease).toBeNull();
  });
});

describe('the snapshot of an application', () => {
  it('is of one connection: another one fails the start', async () => {
    const starting = boot([options(), options({ connection: 'reports' })], []);
    await expect(starting).rejects.toBeInstanceOf(SnapshotInUseError);
  });
});
