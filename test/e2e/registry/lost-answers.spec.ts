import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { GrpcProxy, type FaultManner } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { ADDRESS, followRaw, Member, recordsOf } from './member.js';

const MANNERS: FaultManner[] = ['unavailable', 'reset', 'cut', 'silence'];
const NO_SPACE = { code: 8, message: 'etcdserver: mvcc: database space exceeded' };

describeAtOnce(await serversUnderTest(), 'an answer of etcd to a registration', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let member: Member;
  let round = 0;
  let service: string;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    member = await Member.start('a', proxy.url);
  });
  beforeEach(() => {
    service = `lost-${(round += 1)}`;
  });
  afterEach(async () => {
    proxy.clearFaults();
    await Promise.all(member.registry.registrations.map((one) => one.deregister()));
    expect(await recordsOf(server.endpoint, service)).toEqual([]);
  });
  afterAll(async () => {
    await member?.close();
    await proxy?.close();
    await server?.stop();
  });

  it.each(MANNERS)('is settled by reading the key, if it is lost (%s)', async (how) => {
    const { events, stop } = await followRaw(server.endpoint, service);
    const entry = proxy.loseAnswer('KV/Txn', { how });
    const registration = await member.registry.register({ name: service, address: ADDRESS });
    expect(entry.hits).toBe(1);
    expect(await recordsOf(server.endpoint, service)).toMatchObject([{ state: 'up' }]);

    const change = proxy.loseAnswer('KV/Txn', { how });
    await registration.drain();
    expect(change.hits).toBe(1);
    expect(await recordsOf(server.endpoint, service)).toMatchObject([{ state: 'draining' }]);

    const back = proxy.loseAnswer('KV/Txn', { how });
    await registration.resume();
    expect(back.hits).toBe(1);

    // The farewell and the deletion.
    const end = proxy.loseAnswer('KV/Txn', { how, times: 2 });
    await registration.deregister();
    expect(end.hits).toBe(2);
    await waitFor(() => events.at(-1)?.type === 'delete', { what: 'the end of it' });
    // Nothing was written twice.
    expect(events.map(({ type, state }) => state ?? type)).toEqual([
      ...['up', 'draining', 'up', 'draining', 'delete'],
    ]);
    await stop();
  });

  it('is settled though all answers of several calls are lost', async () => {
    const fault = proxy.loseAnswer('KV/Txn', { times: 6 });
    const registration = await member.registry.register({ name: service, address: ADDRESS });
    expect(registration.registered).toBe(true);
    fault.remove();
    expect(await recordsOf(server.endpoint, service)).toHaveLength(1);
  });

  it.each(MANNERS)(
    'does not keep it from moving to a new lease, if it is lost (%s)',
    async (how) => {
      const registration = await member.registry.register({ name: service, address: ADDRESS });
      const { events, stop } = await followRaw(server.endpoint, service);
      const fault = proxy.loseAnswer('KV/Txn', { how });
      member.session.reportGone(member.session.lease!);
      await waitFor(() => fault.hits === 1 && registration.registered, {
        what: 'it to have moved',
      });
      expect(await recordsOf(server.endpoint, service)).toMatchObject([
        { lease: member.session.lease!.id },
      ]);
      expect(events.map(({ type }) => type)).toEqual(['put']);
      await stop();
    },
  );

  it('that says no space to what was applied is read back', async () => {
    const sayNoSpace = () => proxy.loseAnswer('KV/Txn', { instead: NO_SPACE });
    const entry = sayNoSpace();
    const registration = await member.registry.register({ name: service, address: ADDRESS });
    const change = sayNoSpace();
    await registration.drain();
    expect([entry.hits, change.hits]).toEqual([1, 1]);
    expect(await recordsOf(server.endpoint, service)).toMatchObject([{ state: 'draining' }]);
  });

  it('that says no space to what was not is asked for again until there is space', async () => {
    const entry = proxy.fail('KV/Txn', { ...NO_SPACE, times: 3 });
    const registration = await member.registry.register({ name: service, address: ADDRESS });
    const change = proxy.fail('KV/Txn', { ...NO_SPACE, times: 2 });
    await registration.drain();
    expect([entry.hits, change.hits]).toEqual([3, 2]);
    await registration.resume();
    // A full etcd takes no farewell, but the deletion.
    const farewell = proxy.fail('KV/Txn', NO_SPACE);
    await registration.deregister();
    expect(farewell.hits).toBe(1);
  });
});
