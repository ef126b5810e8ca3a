import { afterEach, describe, expect, it } from 'vitest';
import { leases } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest } from '../watch/servers.js';
import { ADDRESS, followRaw, Member, recordsOf, recordWhen } from './member.js';

const servers = await serversUnderTest();
const lines = await availableEtcdLines();

/** What a test has started, ended in the opposite order. */
const toEnd: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
});

describe.each(servers)('an instance that lost its session, on $name', ({ start }) => {
  it('moves to the next lease without ever being gone, and leaves the old lease to be revoked', async () => {
    const server = await start();
    toEnd.push(() => server.stop());
    const member = await Member.start('a', server.endpoint);
    toEnd.push(() => member.close());
    const registration = await member.registry.register({ name: 'orders', address: ADDRESS });
    const other = await member.registry.register({ name: 'orders', id: 'b', address: ADDRESS });
    const { events, stop } = await followRaw(server.endpoint, 'orders');
    toEnd.push(stop);
    const before = await recordsOf(server.endpoint, 'orders');
    const old = member.session.lease!;
    // As after a deadline that passed here: etcd still has the lease, and the keys.
    for (let i = 1; i <= 5; i++) {
      member.session.reportGone(member.session.lease!);
      await waitFor(() => events.length === 2 * i, { what: 'both to move' });
      await waitFor(() => registration.registered && other.registered, { what: 'them to know' });
    }
    const { id } = member.session.lease!;
    await waitFor(async () => (await leases(server.endpoint)).join() === id, {
      what: 'the old leases to be revoked',
    });
    expect(id).not.toBe(old.id);
    const after = await recordsOf(server.endpoint, 'orders');
    expect(after.map(({ lease }) => lease)).toEqual([id, id]);
    const since = (records: typeof before) => records.map((record) => record.createRevision);
    expect(since(after)).toEqual(since(before));
    expect(events.map(({ type }) => type)).toEqual(Array<string>(10).fill('put'));
  });

  it('comes back once after it was cut off for longer than its lease lasts', async () => {
    const server = await start();
    toEnd.push(() => server.stop());
    const network = await TcpProxy.start({ target: server.endpoint });
    toEnd.push(() => network.close());
    const member = await Member.start('a', network.url, { ttlSeconds: 2 });
    toEnd.push(() => member.close());
    const registration = await member.registry.register({ name: 'orders', address: ADDRESS });
    network.blackhole();
    await waitFor(async () => (await recordsOf(server.endpoint, 'orders')).length === 0, {
      what: 'it to be gone',
    });
    await waitFor(() => !registration.registered, { what: 'it to know that' });
    // What it says meanwhile is what it comes back with.
    const drained = registration.drain();
    await network.pass();
    await drained;
    await waitFor(() => registration.registered, { what: 'it to be back' });
    expect(await recordsOf(server.endpoint, 'orders')).toMatchObject([
      { state: 'draining', lease: member.session.lease!.id },
    ]);
  });
});

describe.each(lines)('an instance whose etcd %s is stopped for longer than its lease', (line) => {
  it('is back once, soon after etcd is', async () => {
    const server = await EtcdServer.start({ line });
    toEnd.push(() => server.kill());
    const members = await Promise.all(
      ['a', 'b'].map((id) => Member.start(id, server.endpoint, { ttlSeconds: 2 })),
    );
    for (const member of members) toEnd.push(() => member.close());
    const [a, b] = await Promise.all(
      members.map(({ registry }) => registry.register({ name: 'orders', address: ADDRESS })),
    );
    await server.kill();
    const old = members.map(({ session }) => session.lease!);
    await waitFor(() => old.every((lease) => !lease.isValid()), { what: 'the leases to be lost' });
    expect([a!.registered, b!.registered]).toEqual([false, false]);
    // Ended while etcd is away, it must not be there when that is back.
    await b!.deregister();
    await server.restart();
    const back = await recordWhen(
      server.endpoint,
      'orders',
      'the one to be back, and the other gone',
      ({ by, lease }) => by === 'a' && lease === members[0]!.session.lease?.id,
    );
    expect(back.state).toBe('up');
    await waitFor(() => a!.registered, { what: 'it to know that' });
  });

  it('stands as soon as there is an etcd, if there was none at the start', async () => {
    const server = await EtcdServer.start({ line });
    toEnd.push(() => server.kill());
    const member = await Member.start('a', server.endpoint, { ttlSeconds: 2 });
    toEnd.push(() => member.close());
    await server.kill();
    const registering = member.registry.register({ name: 'orders', address: ADDRESS });
    const given = member.registry.register({ name: 'given-up', address: ADDRESS });
    const [dropped] = member.registry.registrations.filter((one) => one.service === 'given-up');
    await Promise.all([
      expect(given).rejects.toMatchObject({ code: 'REGISTRATION_ENDED' }),
      dropped!.deregister(),
    ]);
    await server.restart();
    expect((await registering).registered).toBe(true);
    expect(await recordsOf(server.endpoint, 'orders')).toHaveLength(1);
    expect(await recordsOf(server.endpoint, 'given-up')).toEqual([]);
  });
});
