import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  EtcdClient,
  type ConnectSettings,
} from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import {
  EtcdConnectError,
  TwoClustersError,
} from '../../../libs/etcd-coordination/src/client/etcd-connect.error.js';
import {
  ClientClosedError,
  EtcdUnavailableError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { EmbeddedEtcd } from '../../../libs/etcd-coordination/src/embedded/embedded-etcd.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor, within } from '../../support/wait-for.js';
import { clientOptions, type TestOptions } from './options.js';

const anyway: ConnectSettings = { startWithout: () => true };

describe('a client that starts while etcd is away', () => {
  let etcd: EmbeddedEtcd;
  let network: TcpProxy;

  beforeEach(async () => {
    etcd = await EmbeddedEtcd.start({ logger: false });
    network = await TcpProxy.start({ target: etcd.endpoint });
    await network.refuse();
  });
  afterEach(async () => {
    await network.close();
    await etcd.close();
  });

  async function connect(
    endpoints: string | readonly string[] = network.url,
    options?: TestOptions,
    settings = anyway,
  ): Promise<EtcdClient> {
    const client = await EtcdClient.connect(clientOptions(endpoints, options), settings);
    onTestFinished(() => client.close());
    return client;
  }

  it('asks whether to, once, with the error that the start fails with otherwise', async () => {
    const startWithout = vi.fn<(error: EtcdConnectError) => boolean>(() => false);
    await expect(connect(network.url, {}, { startWithout })).rejects.toSatisfy(
      (error) => error === startWithout.mock.calls[0]?.[0],
    );
    expect(startWithout).toHaveBeenCalledOnce();
    expect(startWithout.mock.calls[0]?.[0]).toBeInstanceOf(EtcdConnectError);
    await expect(connect(network.url, {}, {})).rejects.toBeInstanceOf(EtcdConnectError);
  });

  it('leaves nothing open when it may not, and fails with what was thrown, if that is how it was said', async () => {
    const close = vi.spyOn(EtcdClient.prototype, 'close');
    onTestFinished(() => close.mockRestore());
    await expect(connect(network.url, {}, { startWithout: () => false })).rejects.toThrow();
    expect(close).toHaveBeenCalledTimes(1);
    const why = new Error('not today');
    const startWithout = () => Promise.reject(why);
    await expect(connect(network.url, {}, { startWithout })).rejects.toBe(why);
    expect(close).toHaveBeenCalledTimes(2);
  });

  it('refuses every call at once, and makes them when it is connected', async () => {
    const client = await connect();
    expect(client.isAwaited).toBe(true);
    const key = Buffer.from('k');
    for (const call of [
      client.range({ key }),
      client.txn({}),
      client.leaseGrant('1', 5),
      client.etcd.get('k').exec(),
      client.openStream({ service: 'Watch', method: 'watch' }, { data() {}, end() {} }),
    ]) {
      await expect(call).rejects.toBeInstanceOf(EtcdUnavailableError);
    }
    expect(client.requestsSent).toBeGreaterThan(0);
    await network.pass();
    await within(client.whenConnected(), { what: 'the connection' });
    expect(client.isAwaited).toBe(false);
    expect((await client.range({ key })).kvs).toEqual([]);
  });

  it('connects when what swallowed its packets lets them through again', async () => {
    await network.pass();
    network.blackhole();
    const client = await connect(network.url, { timeouts: { connect: 1000 } });
    expect(client.isAwaited).toBe(true);
    await network.pass();
    await within(client.whenConnected(), { what: 'the connection' });
  });

  it('lets a watch stand that was asked for meanwhile', async () => {
    const client = await connect();
    const hub = new WatchHub(client);
    onTestFinished(() => hub.close());
    let standing = false;
    hub.watch(prefixRange('p/'), null, {
      standing: () => (standing = true),
      events: () => undefined,
      compacted: () => undefined,
      refused: () => undefined,
    });
    await network.pass();
    await waitFor(() => standing, { what: 'the watch to stand' });
  });

  it('does not when an endpoint fails for something else', async () => {
    const tls = `https://${new URL(etcd.endpoint).host}`;
    const startWithout = vi.fn<() => boolean>(() => true);
    const connecting = connect([tls, network.url.replace('http', 'https')], {}, { startWithout });
    await expect(connecting).rejects.toMatchObject({
      failures: expect.arrayContaining([
        expect.objectContaining({ reason: 'refused' }),
        expect.objectContaining({ reason: 'tls' }),
      ]) as unknown,
    });
    expect(startWithout).not.toHaveBeenCalled();
  });

  it('uses no endpoints of two clusters, whenever they come back', async () => {
    const other = await EmbeddedEtcd.start({ logger: false });
    const otherNetwork = await TcpProxy.start({ target: other.endpoint });
    onTestFinished(async () => {
      await otherNetwork.close();
      await other.close();
    });
    await otherNetwork.refuse();
    const client = await connect([network.url, otherNetwork.url]);
    await Promise.all([network.pass(), otherNetwork.pass()]);
    await waitFor(
      async () => {
        const error: unknown = await client
          .range({ key: Buffer.from('k') })
          .catch((failure: unknown) => failure);
        return (error as { cause?: unknown }).cause instanceof TwoClustersError;
      },
      { what: 'the reason to be told' },
    );
    expect(client.isAwaited).toBe(true);
  });

  it('ends when it is closed, and tells who waits', async () => {
    const client = await connect();
    const waiting = client.whenConnected().catch((error: unknown) => error);
    await client.close();
    expect(await within(waiting, { what: 'the end' })).toBeInstanceOf(ClientClosedError);
    await expect(client.range({ key: Buffer.from('k') })).rejects.toBeInstanceOf(ClientClosedError);
  });
});
