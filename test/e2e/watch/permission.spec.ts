import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { WatchService } from '../../../libs/etcd-coordination/src/watch/watch.service.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { authTokenTtl, enableAuth } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { EventLog, NAMESPACE } from './event-log.js';

const lines = await availableEtcdLines();

describeAtOnce(lines, 'what a user of etcd watches', (line) => {
  let server: EtcdServer;
  let client: EtcdClient;
  let hub: WatchHub;
  let watch: WatchService;
  const canExpire = line !== '3.4';

  beforeAll(async () => {
    server = await EtcdServer.start({ line, extraArgs: canExpire ? authTokenTtl(1) : [] });
    await enableAuth(server.endpoint, 'secret', [
      { name: 'orders', password: 'pass', prefix: `${NAMESPACE}/orders/` },
    ]);
    client = await connect(server.endpoint, { auth: { username: 'orders', password: 'pass' } });
    hub = new WatchHub(client);
    watch = new WatchService(client, hub, NAMESPACE, { checkIntervalMs: 300 });
  });
  afterAll(async () => {
    await watch?.close();
    await hub?.close();
    await client?.close();
    await server?.kill();
  });

  async function put(key: string): Promise<void> {
    using etcd = rawEtcd(server.endpoint, { auth: { username: 'root', password: 'secret' } });
    await etcd.client.put(`${NAMESPACE}/${key}`).value('x');
  }

  it('errors where it may not look, and harms none that joined it and may', async () => {
    const wide = new EventLog(watch.prefix('o'));
    const joined = new EventLog(watch.prefix('orders/'));
    const key = new EventLog(watch.key('orders/1'));
    let refusal: unknown;
    watch.state('stock/').subscribe({ error: (error) => (refusal = error) });
    const history = new EventLog(watch.prefix('stock/', { fromRevision: 1n }));
    await waitFor(() => wide.error && refusal && history.error, { what: 'the refusals' });
    for (const error of [wide.error, refusal, history.error]) {
      expect(error).toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });
    }
    await EventLog.standing(watch, { prefix: 'orders/' });
    await put('orders/1');
    await waitFor(() => joined.events.length === 1 && key.events.length === 1, {
      what: 'the permitted ones to be told',
    });
    expect([joined.error, key.error]).toEqual([null, null]);
    joined.stop();
    key.stop();
  });

  it.runIf(canExpire)(
    'goes on when the token expires, and nothing had to be repaired',
    async () => {
      const state = watch.state('orders/');
      state.subscribe();
      const log = await EventLog.standing(watch, { prefix: 'orders/' });
      const expiry = performance.now() + 2_500;
      await waitFor(() => performance.now() > expiry, { what: 'the token to expire' });
      await put('orders/2');
      await waitFor(() => log.events.length === 1, { what: 'the first to be told' });
      const later = await EventLog.standing(watch, { prefix: 'orders/' }, { previous: true });
      await server.restart();
      await put('orders/3');
      await waitFor(() => log.events.length === 2 && later.events.length === 1, {
        what: () =>
          `all to be told: ${JSON.stringify([log.lines, log.resyncs, later.lines, later.resyncs, String(log.error), String(later.error)])}`,
      });
      await waitFor(() => state.current.size >= 3, { what: 'the state' });
      expect(log.resyncs).toEqual([]);
      expect(state.repairs).toBe(0);
    },
  );
});
