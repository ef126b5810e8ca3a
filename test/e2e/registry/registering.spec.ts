import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { rawEtcd } from '../../support/raw-etcd.js';
import { deleteKey, putKey, revokeLease } from '../../support/etcd-admin.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { ADDRESS, followRaw, keyOf, Member, recordsOf, recordWhen } from './member.js';

describeAtOnce(await serversUnderTest(), 'an instance that registers', ({ start }) => {
  let server: ServerUnderTest;
  let member: Member;
  let round = 0;
  let service: string;

  beforeAll(async () => {
    server = await start();
    member = await Member.start('m-1', server.endpoint);
  });
  beforeEach(() => {
    service = `orders/${(round += 1)}`;
  });
  afterEach(async () => {
    await Promise.all(member.registry.registrations.map((one) => one.deregister()));
    expect(await recordsOf(server.endpoint, service)).toEqual([]);
  });
  afterAll(async () => {
    await member?.close();
    await server?.stop();
  });

  it('stands once, on the lease of its session, with all that it says of itself', async () => {
    const { events, stop } = await followRaw(server.endpoint, service);
    const registration = await member.registry.register({
      name: service,
      id: 'a/b',
      address: 'grpc://[::1]:5000',
      zone: 'eu-1',
      weight: 2.5,
      version: '1.2.3',
      metadata: { 'a b': 'ü', empty: '' },
      health: { probe: { kind: 'tcp' }, intervalMs: 700 },
    });
    expect(registration).toMatchObject({ service, id: 'a/b', state: 'up', registered: true });
    expect(member.registry.registrations).toEqual([registration]);
    expect(await recordsOf(server.endpoint, service)).toEqual([
      {
        key: keyOf(service, 'a/b'),
        lease: member.session.lease!.id,
        createRevision: expect.anything() as bigint,
        address: 'grpc://[::1]:5000',
        protocol: 'grpc',
        host: '::1',
        port: 5000,
        zone: 'eu-1',
        weight: 2.5,
        version: '1.2.3',
        metadata: { 'a b': 'ü', empty: '' },
        probe: {
          kind: 'tcp',
          port: null,
          target: '',
          intervalMs: 700,
          timeoutMs: 2000,
          failures: 3,
          passes: 2,
        },
        state: 'up',
        reason: null,
        by: 'm-1',
        mark: expect.stringMatching(/./) as string,
      },
    ]);
    await registration.deregister();
    await waitFor(() => events.at(-1)?.type === 'delete', { what: 'the end of it' });
    expect(events.map(({ type, state }) => state ?? type)).toEqual(['up', 'draining', 'delete']);
    expect(registration.registered).toBe(false);
    expect(member.registry.registrations).toEqual([]);
    await stop();
  });

  it('says that it drains and takes calls again, in order, and no more once it has ended', async () => {
    const { events, stop } = await followRaw(server.endpoint, service);
    const registration = await member.registry.register({ name: service, address: ADDRESS });
    const told: string[] = [];
    registration.state$.subscribe({
      next: (state) => told.push(state),
      complete: () => told.push('over'),
    });
    const [before] = await recordsOf(server.endpoint, service);
    await registration.drain();
    expect(registration.state).toBe('draining');
    const [during] = await recordsOf(server.endpoint, service);
    expect(during).toMatchObject({ state: 'draining', createRevision: before!.createRevision });
    await registration.drain();
    await registration.resume();
    expect(await recordsOf(server.endpoint, service)).toMatchObject([{ state: 'up' }]);
    // All at once: the last word is the one that stands.
    await Promise.all([registration.drain(), registration.resume(), registration.drain()]);
    expect(await recordsOf(server.endpoint, service)).toMatchObject([{ state: 'draining' }]);
    const ended = registration.deregister();
    const tooLate = { code: 'REGISTRATION_ENDED' };
    await expect(registration.drain()).rejects.toMatchObject(tooLate);
    await expect(registration.resume()).rejects.toMatchObject(tooLate);
    expect(registration.deregister()).toBe(ended);
    await ended;
    await waitFor(() => events.at(-1)?.type === 'delete', { what: 'the end of it' });
    expect(events.map(({ type, state }) => state ?? type)).toEqual([
      ...['up', 'draining', 'up', 'draining', 'delete'],
    ]);
    expect(told).toEqual(['up', 'draining', 'up', 'draining', 'up', 'draining', 'over']);
    await stop();
  });

  it('is there again after an operator has revoked its lease', async () => {
    const registration = await member.registry.register({ name: service, address: ADDRESS });
    const [before] = await recordsOf(server.endpoint, service);
    await revokeLease(server.endpoint, before!.lease);
    const after = await recordWhen(
      server.endpoint,
      service,
      'it to be back',
      ({ lease }) => lease !== before!.lease,
    );
    expect(after).toMatchObject({ state: 'up', lease: member.session.lease!.id });
    await waitFor(() => registration.registered, { what: 'it to know that' });
  });

  it('is there again after an operator has deleted its key, as often as that happens', async () => {
    const registration = await member.registry.register({ name: service, address: ADDRESS });
    await registration.drain();
    for (let i = 0; i < 3; i++) {
      const [before] = await recordsOf(server.endpoint, service);
      await deleteKey(server.endpoint, before!.key);
      const after = await recordWhen(server.endpoint, service, 'it to be back');
      expect(after.createRevision).toBeGreaterThan(before!.createRevision);
      expect(after).toMatchObject({ state: 'draining', lease: before!.lease });
      await waitFor(() => registration.registered, { what: 'it to know that' });
    }
  });

  it.each(['without a lease', 'on its lease', 'with its own record, changed'])(
    'is there again after an operator has put something over its key, %s',
    async (how) => {
      await member.registry.register({ name: service, address: ADDRESS });
      const [before] = await recordsOf(server.endpoint, service);
      using etcd = rawEtcd(server.endpoint);
      if (how === 'without a lease') await putKey(server.endpoint, before!.key, '{"state":7}');
      else {
        const value =
          how === 'on its lease'
            ? 'no record'
            : JSON.stringify({ mark: before!.mark, state: 'down', address: 'http://x:1' });
        await etcd.client.put(before!.key).value(value).ignoreLease().exec();
      }
      const after = await recordWhen(
        server.endpoint,
        service,
        'its own record',
        ({ mark, state }) => mark === before!.mark && state === 'up',
      );
      expect(after).toMatchObject({ lease: before!.lease, address: ADDRESS });
    },
  );

  it('leaves nothing when the registry closes, and takes no more then', async () => {
    const other = await Member.start('m-2', server.endpoint);
    await other.registry.register({ name: service, address: ADDRESS });
    await other.registry.register({ name: service, id: 'second', address: ADDRESS });
    const underWay = other.registry.register({ name: service, id: 'third', address: ADDRESS });
    await Promise.all([
      expect(underWay).rejects.toMatchObject({ code: 'REGISTRATION_ENDED' }),
      other.registry.close(),
    ]);
    expect(await recordsOf(server.endpoint, service)).toEqual([]);
    const late = other.registry.register({ name: service, address: ADDRESS });
    await expect(late).rejects.toMatchObject({ code: 'REGISTRATION_ENDED' });
    await other.close();
  });

  it('refuses bad input before anything is put', async () => {
    const bad = { name: service, address: 'http://h:70000' };
    await expect(member.registry.register(bad)).rejects.toMatchObject({
      code: 'INVALID_REGISTRATION',
      option: 'address',
    });
    expect(await recordsOf(server.endpoint, service)).toEqual([]);
  });
});
