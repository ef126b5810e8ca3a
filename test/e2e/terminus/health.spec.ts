import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ServiceRegistry } from '../../../libs/etcd-coordination/src/index.js';
import { verdictKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { encodeVerdictRecord } from '../../../libs/etcd-coordination/src/registry/verdict-record.js';
import { deleteKey, enableAuth, putKey } from '../../support/etcd-admin.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { HealthStage } from './health-stage.js';

const NAMESPACE = 'health';
const SERVICE = { name: 'orders', address: 'http://127.0.0.1:3000' };
/** The document that the application watches. */
const PRICES = `${NAMESPACE}/config/prices/live/layer/shared`;
const PROBE = verdictKey(NAMESPACE, SERVICE.name, 'a', 'probe');

let etcd: EtcdServer;
let reports: EtcdServer;
let stage: HealthStage;

const until = (path: string, http: number, status: string) =>
  waitFor(() => stage.says(path, http, status), {
    what: `${path} to be ${status}`,
    timeoutMs: 20_000,
  });

/** @param noticeMs for which it serves on after it has said that it drains */
async function boot(noticeMs = 0): Promise<void> {
  const common = { namespace: NAMESPACE, instanceId: 'a', session: { ttlSeconds: 2 } };
  stage = await HealthStage.start(
    { ...common, endpoints: [etcd.endpoint], service: SERVICE, shutdown: { noticeMs } },
    { ...common, connection: 'reports', endpoints: [reports.endpoint] },
  );
  await until('ready', 200, 'up');
}

describe('the health of a process, asked over HTTP', () => {
  beforeAll(async () => {
    [etcd, reports] = await Promise.all([EtcdServer.start(), EtcdServer.start()]);
    await putKey(etcd.endpoint, PRICES, JSON.stringify({ perItem: 2 }));
  });
  afterAll(async () => {
    await Promise.all([etcd?.kill(), reports?.kill()]);
  });
  afterEach(() => stage.app.close());

  it('says all that is known while all is well', async () => {
    await boot();
    const isComplete = (answer: string) => /"notListed":0.*"leads":true/.test(answer);
    await waitFor(async () => isComplete(JSON.stringify(await stage.ask('ready'))), {
      what: 'the term, and all that is watched',
    });
    const { etcd: ready, status } = await stage.ask('ready');
    expect(status).toBe('ok');
    expect(ready).toMatchObject({
      session: 'active',
      lease: { id: expect.stringMatching(/^[0-9a-f]+$/) as unknown },
      watches: { notListed: 0, oldest: { name: expect.stringContaining(NAMESPACE) as unknown } },
      configs: { prices: { status: 'up', source: 'etcd' } },
      leadership: { reconciler: { leads: true, suspect: false, leaderId: 'a' } },
      registrations: [
        { service: 'orders', id: 'a', state: 'up', registered: true, word: { source: 'instance' } },
      ],
      services: { orders: { source: 'etcd', instances: 1, usable: 1, protected: 0 } },
    });
    expect(ready).not.toHaveProperty('message');
    expect(await stage.ask('live')).toMatchObject({ http: 200, etcd: { session: 'active' } });
  });

  it('stays alive and ready, and says that it serves from what it knew, while etcd is away', async () => {
    await boot();
    await etcd.kill();
    await until('ready', 200, 'degraded');
    await waitFor(
      async () =>
        ['lost', 'connecting'].includes((await stage.ask('ready')).etcd['session'] as string),
      { what: 'the lease to be lost' },
    );

    expect((await stage.ask('ready')).etcd).toMatchObject({
      lease: null,
      message: expect.stringMatching(
        /etcd does not answer.*"orders" is not registered now/,
      ) as unknown,
      configs: { prices: { source: 'etcd' } },
      leadership: { reconciler: { leads: false } },
      registrations: [{ registered: false, state: 'up' }],
      services: { orders: { source: 'etcd', instances: 1, usable: 1 } },
    });
    for (const live of ['live', 'live-at-once']) {
      expect(await stage.ask(live)).toMatchObject({ http: 200, etcd: { status: 'up' } });
    }
    // The other connection is another one.
    expect(await stage.ask('reports')).toMatchObject({ http: 200, etcd: { status: 'up' } });

    await etcd.restart();
    await until('ready', 200, 'up');
    expect((await stage.ask('ready')).etcd).toMatchObject({
      session: 'active',
      registrations: [{ registered: true }],
    });
  });

  it('gets no traffic once it drains, and is alive', async () => {
    await boot(5000);
    const closing = stage.app.close();
    await until('ready', 503, 'down');
    expect((await stage.ask('ready')).etcd).toMatchObject({
      message: expect.stringMatching(/^The application is shutting down\./) as unknown,
      registrations: [{ state: 'draining' }],
    });
    expect(await stage.ask('live')).toMatchObject({ http: 200, etcd: { status: 'up' } });
    await closing;
  });

  it('gets no traffic while its instance drains by hand, or somebody marks it', async () => {
    await boot();
    const registry = stage.app.get(ServiceRegistry);
    const [registration] = registry.registrations;
    await registration!.drain();
    expect(await stage.ask('ready')).toMatchObject({ http: 503 });
    await registration!.resume();
    await until('ready', 200, 'up');

    const mark = { state: 'down', reason: 'disk', forMs: 60_000, source: 'operator' } as const;
    await registry.mark('orders', 'a', mark);
    await until('ready', 503, 'down');
    expect((await stage.ask('ready')).etcd).toMatchObject({
      message: expect.stringContaining('is down, says "operator" (a): disk.') as unknown,
      registrations: [{ state: 'down', word: { source: 'operator', by: 'a', reason: 'disk' } }],
    });
    expect(await stage.ask('live')).toMatchObject({ http: 200, etcd: { status: 'up' } });
    await registry.unmark('orders', 'a', 'operator');
    await until('ready', 200, 'up');
  });

  it("is degraded at most by a prober's word, which may be about this very check", async () => {
    await boot();
    const verdict = { state: 'down', by: 'b', reason: '503', mark: 'm', ownLease: null } as const;
    await putKey(etcd.endpoint, PROBE, encodeVerdictRecord(verdict).toString());
    await until('ready', 200, 'degraded');
    expect((await stage.ask('ready')).etcd).toMatchObject({
      registrations: [{ state: 'down', word: { source: 'probe', by: 'b' } }],
    });
    await deleteKey(etcd.endpoint, PROBE);
    await until('ready', 200, 'up');
  });
});

describe('the health of a process whose password is changed', () => {
  beforeAll(async () => {
    etcd = await EtcdServer.start();
    await enableAuth(etcd.endpoint, 'root', [{ name: 'app', password: 'old' }]);
  });
  afterAll(async () => {
    await stage?.app.close();
    await etcd?.kill();
  });

  it('is down for its liveness once etcd has refused it for long: a restart may know the new one', async () => {
    stage = await HealthStage.start({
      endpoints: [etcd.endpoint],
      namespace: NAMESPACE,
      session: { ttlSeconds: 2 },
      auth: { username: 'app', password: 'old' },
    });
    // The service that it needs has no instance.
    await until('ready', 200, 'degraded');
    expect(await stage.ask('live-at-once')).toMatchObject({ http: 200 });
    {
      using root = rawEtcd(etcd.endpoint, { auth: { username: 'root', password: 'root' } });
      await root.client.auth.userChangePassword({ name: 'app', password: 'new' });
    }
    // The tokens that it gave out are gone with it.
    await etcd.restart();

    await until('live-at-once', 503, 'down');
    expect((await stage.ask('live-at-once')).etcd.message).toMatch(/etcd has refused a lease for/);
    // Not yet for long.
    expect(await stage.ask('live')).toMatchObject({
      http: 200,
      etcd: { status: 'up', message: expect.stringContaining('refused') as unknown },
    });
    expect(await stage.ask('ready')).toMatchObject({ http: 200, etcd: { status: 'degraded' } });
  });
});
