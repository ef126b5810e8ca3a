import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  EtcdAuthenticationError,
  EtcdPermissionDeniedError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdConnectError } from '../../../libs/etcd-coordination/src/client/etcd-connect.error.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import type { RangeWatchHandlers } from '../../../libs/etcd-coordination/src/watch/range-watch.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { authTokenTtl, enableAuth } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { renewal, startSession } from '../session/sessions.js';
import { connect } from './connecting.js';
import { clientOptions } from './options.js';

const lines = await availableEtcdLines();
const auth = { username: 'app', password: 'secret' };
/** Somebody of whose tokens the server's log tells. */
const quiet = { username: 'quiet', password: 'secret' };
const TOKEN_TTL = 1;

/** FACTS.md, Auth: with plain etcd3 the first watch fails after the token expired, and later ones hang for ever. */
describe.each(lines)('a user, etcd %s', (line) => {
  // 3.4 keeps a token for five minutes and knows no option for it; restarting it is what ends one there.
  const expires = line !== '3.4';
  let server: EtcdServer;
  let proxy: GrpcProxy;

  beforeAll(async () => {
    server = await EtcdServer.start({
      line,
      extraArgs: expires ? [...authTokenTtl(TOKEN_TTL), '--log-level', 'debug'] : [],
    });
    await enableAuth(server.endpoint, 'root-secret', [
      { name: auth.username, password: auth.password, prefix: 'app/' },
      { name: quiet.username, password: quiet.password, prefix: 'app/' },
    ]);
    proxy = await GrpcProxy.start({ target: server.endpoint });
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  it('that is wrong is named at the start, for each endpoint', async () => {
    const wrong = { ...auth, password: 'wrong' };
    const options = clientOptions([server.endpoint, proxy.url], { auth: wrong });
    const error = await EtcdClient.connect(options).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(EtcdConnectError);
    const failures = (error as EtcdConnectError).failures;
    expect(failures.map((failure) => failure.reason)).toEqual(['wrong-password', 'wrong-password']);
    expect((error as Error).message).toContain(server.endpoint);
    expect((error as Error).message).toContain(proxy.url);
    expect((error as Error).message).toContain('option "auth"');
    expect((error as Error).message).not.toContain('secret');
  });

  it('that is missing is asked for', async () => {
    const { etcd } = await connect(server.endpoint);
    const error = await etcd
      .get('app/k')
      .exec()
      .catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect((error as Error).message).toContain('set the option "auth"');
  });

  it('that lacks a permission is named', async () => {
    const { etcd } = await connect(server.endpoint, { auth });
    await etcd.put('app/allowed').value('v');
    const put = etcd.put('other/key').value('v').exec();
    const error = await put.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(EtcdPermissionDeniedError);
    expect((error as Error).message).toContain('"app"');
    expect((error as Error).message).toContain('KV.put');
  });

  it('goes on after its token ended: calls, the lease and both kinds of watches', async () => {
    const client = await connect(proxy.url, {
      auth: quiet,
      // Patience: a missed keepalive would be answered by a second connection.
      timeouts: { heartbeat: 5000 },
    });
    const { etcd } = client;
    // The token ends between two keepalives, for some versions count those as its use.
    const { session, lease } = await startSession(client, 9);
    const hub = new WatchHub(client);
    const shared: string[] = [];
    hub.watch(prefixRange('app/watched/'), null, {
      standing: () => undefined,
      events: (events) => shared.push(...events.map(({ kv }) => kv.value.toString())),
      compacted: () => shared.push('compacted'),
      refused: (error) => shared.push(error.code),
    });
    const raw: string[] = [];
    const early = await etcd.watch().prefix('app/watched/').create();
    early.on('put', (kv) => raw.push(kv.value.toString()));
    await tokenEnded(1);

    // Many calls at once find the token expired; one of them asks for a new one.
    const asked = proxy.count('Auth/Authenticate');
    const puts = Array.from({ length: 20 }, (_, i) => etcd.put(`app/many/${i}`).value('v').exec());
    await Promise.all(puts);
    if (expires) expect(proxy.count('Auth/Authenticate') - asked).toBe(1);

    await tokenEnded(2);
    await etcd.put('app/watched/a').value('after');
    await waitFor(() => shared.includes('after') && raw.includes('after'), {
      what: () => `both watches: ${JSON.stringify({ shared, raw })}`,
    });
    // And a watch that begins now, on the stream that was opened with the old token.
    const late = new PrefixProbe();
    hub.watch(prefixRange('app/late/'), null, late);
    await waitFor(() => late.stands, { what: () => `the late watch: ${late.ended}` });
    expect(shared).toEqual(['after']);
    await renewal(lease);
    expect(session.lease).toBe(lease);
    expect(proxy.connectionsOpen).toBe(1);
    await hub.close();
    await early.cancel();
  });

  /** Waits until the server has forgotten the n-th token of the user; its log says so. */
  async function tokenEnded(n: number): Promise<void> {
    if (!expires) return server.restart();
    const forgotten = new RegExp(`deleted a simple token.*"user-name":"${quiet.username}"`, 'g');
    await waitFor(
      async () => ((await readFile(server.logFile, 'utf8')).match(forgotten) ?? []).length >= n,
      { what: 'a token to expire' },
    );
  }
});

/** A watch that only tells whether it stands. */
class PrefixProbe implements RangeWatchHandlers {
  stands = false;
  ended = 'not yet';
  standing(): void {
    this.stands = true;
  }
  events(): void {}
  compacted(): void {
    this.ended = 'compacted';
  }
  refused(error: Error): void {
    this.ended = error.message;
  }
}
