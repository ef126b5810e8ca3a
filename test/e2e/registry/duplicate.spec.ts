import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { putKey } from '../../support/etcd-admin.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest } from '../watch/servers.js';
import { ADDRESS, keyOf, Member, recordsOf } from './member.js';

const toEnd: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
  vi.restoreAllMocks();
});

const SERVICE = { name: 'orders', id: 'one', address: ADDRESS };
const DUPLICATE = { code: 'DUPLICATE_INSTANCE', service: 'orders', instanceId: 'one' };

describe.each(await serversUnderTest())('an id that is taken, on $name', ({ start }) => {
  async function members(ttlSeconds = 2) {
    const server = await start();
    toEnd.push(() => server.stop());
    const network = await TcpProxy.start({ target: server.endpoint });
    toEnd.push(() => network.close());
    const a = await Member.start('a', network.url, { ttlSeconds });
    const b = await Member.start('b', server.endpoint, { ttlSeconds });
    toEnd.push(
      () => a.close(),
      () => b.close(),
    );
    return { a, b, network, endpoint: server.endpoint };
  }

  it.each([2, 6])('is refused while its owner lives, at a TTL of %i s', async (ttlSeconds) => {
    const { a, b, endpoint } = await members(ttlSeconds);
    const registration = await a.registry.register(SERVICE);
    await expect(b.registry.register(SERVICE)).rejects.toMatchObject(DUPLICATE);
    expect(b.registry.registrations).toEqual([]);
    expect(await recordsOf(endpoint, 'orders')).toMatchObject([{ by: 'a' }]);
    expect(registration.registered).toBe(true);
    // In one process it is known at once.
    await expect(a.registry.register(SERVICE)).rejects.toMatchObject(DUPLICATE);
    await registration.deregister();
    await b.registry.register(SERVICE);
    expect(await recordsOf(endpoint, 'orders')).toMatchObject([{ by: 'b' }]);
  });

  it('is had once the predecessor that crashed is gone', async () => {
    const { a, b, endpoint } = await members();
    await a.registry.register(SERVICE);
    await a.crash();
    const registration = await b.registry.register(SERVICE);
    expect(registration.registered).toBe(true);
    expect(await recordsOf(endpoint, 'orders')).toMatchObject([{ by: 'b' }]);
  });

  it('is had where somebody has put a key on no lease, which would never go', async () => {
    const { b, endpoint } = await members();
    await putKey(endpoint, keyOf('orders', 'one'), 'not a record');
    await b.registry.register(SERVICE);
    expect(await recordsOf(endpoint, 'orders')).toMatchObject([{ by: 'b' }]);
  });

  it('is waited for by one that lost it while it was away, with one word of it', async () => {
    const { a, b, network, endpoint } = await members();
    const errors = vi.spyOn(Logger.prototype, 'error');
    const lost = await a.registry.register(SERVICE);
    network.blackhole();
    const taken = await b.registry.register(SERVICE);
    await waitFor(() => a.session.lease === null, { what: 'the lease to be lost' });
    await network.pass();
    await waitFor(() => errors.mock.calls.length > 0, { what: 'the word' });
    expect(errors.mock.calls[0]).toEqual([
      expect.stringMatching(/"one".*"orders".*once the other/),
    ]);
    await taken.drain();
    expect(await recordsOf(endpoint, 'orders')).toMatchObject([{ by: 'b', state: 'draining' }]);
    expect(lost.registered).toBe(false);
    await taken.deregister();
    await waitFor(() => lost.registered, { what: 'the first to be back' });
    expect(await recordsOf(endpoint, 'orders')).toMatchObject([{ by: 'a', state: 'up' }]);
    expect(errors).toHaveBeenCalledTimes(1);
  });
});
