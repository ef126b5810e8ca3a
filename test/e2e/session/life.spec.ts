import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstValueFrom } from 'rxjs';
import {
  ClientClosedError,
  EtcdUnavailableError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { SessionLostError } from '../../../libs/etcd-coordination/src/session/session-lost.error.js';
import { leases, leaseTtl, revokeLease } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from '../client/connecting.js';
import {
  keyStands,
  observedSession,
  putOnLease,
  reached,
  renewal,
  startSession,
} from './sessions.js';

const lines = await availableEtcdLines();

describe.each(lines)('the life of a session, etcd %s', (line) => {
  let server: EtcdServer;

  beforeAll(async () => {
    // etcd's own default, with which it grants no lease for less than 2 s.
    server = await EtcdServer.start({ line, electionMs: 1000, heartbeatMs: 100 });
  });
  afterAll(() => server.stop());

  it('goes by the TTL that was granted, not the one that was asked for', async () => {
    const { lease } = await startSession(await connect(server.endpoint), 1);
    expect(lease.ttlMs).toBe(2000);
    expect(lease.remainingMs()).toBeGreaterThan(1000);
  });

  it('renews its lease for as long as it lives', async () => {
    const { lease, session, states } = await startSession(await connect(server.endpoint), 1);
    const { id } = lease;
    for (let i = 0; i < 3; i += 1) await renewal(lease);
    expect(session.lease?.id).toBe(id);
    expect(await leaseTtl(server.endpoint, id)).toBeGreaterThanOrEqual(0);
    expect(states).toEqual(['idle', 'connecting', 'active']);
  });

  it('takes a new lease by itself when an operator revokes its own, and says so', async () => {
    const observed = await startSession(await connect(server.endpoint), 2);
    const { session, states, lease } = observed;
    states.length = 0;
    await revokeLease(server.endpoint, lease.id);
    await reached(observed, 'lost');
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toMatchObject({ code: 'SESSION_LOST', reason: 'gone' });
    const next = await session.ready();
    expect(next.id).not.toBe(lease.id);
    expect(next.isValid()).toBe(true);
    expect(await leaseTtl(server.endpoint, next.id)).toBeGreaterThan(0);
    expect(states).toEqual(['lost', 'connecting', 'active']);
  });

  it('comes back after an outage longer than its TTL, however often it asks in vain', async () => {
    const observed = await startSession(await connect(server.endpoint), 2);
    const { session, states, lease } = observed;
    const calls: string[] = [];
    lease.signal.addEventListener('abort', () => calls.push('lost'));
    await server.kill();
    await reached(observed, 'lost');
    expect(session.lease).toBeNull();
    expect(lease.signal.reason).toBeInstanceOf(SessionLostError);
    const ready = session.ready();
    await server.restart();
    const next = await ready;
    expect(next.id).not.toBe(lease.id);
    expect(states.slice(2)).toEqual(['active', 'suspect', 'lost', 'connecting', 'active']);
    expect(calls).toEqual(['lost']);
    // The old one, which the server has granted anew at its start, is given back.
    await waitFor(async () => !(await leases(server.endpoint)).includes(lease.id), {
      what: 'the old lease to be revoked',
    });
  });

  it('revokes its lease when it is closed, and its keys go at once', async () => {
    const { session, states, lease } = await startSession(await connect(server.endpoint), 60);
    await putOnLease(server.endpoint, 'closing', lease.id);
    const told: boolean[] = [];
    lease.signal.addEventListener('abort', () => told.push(lease.isValid()));
    const closing = session.close();
    // Those above stop before the server is asked to let go.
    expect(told).toEqual([false]);
    expect(lease.signal.reason).toMatchObject({ reason: 'closed' });
    await closing;
    expect(await keyStands(server.endpoint, 'closing')).toBe(false);
    expect(await leases(server.endpoint)).not.toContain(lease.id);
    expect(states.slice(-2)).toEqual(['closing', 'closed']);
    await expect(session.ready()).rejects.toBeInstanceOf(ClientClosedError);
  });
});

describe.runIf(lines.length > 0)('a session that cannot have its lease', () => {
  let server: EtcdServer;
  let proxy: GrpcProxy;

  beforeAll(async () => {
    server = await EtcdServer.start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  it('rejects its start, is closed then, and leaves nothing behind', async () => {
    const refusals = proxy.fail('Lease/LeaseGrant', { times: 10 });
    const { session, states } = observedSession(await connect(proxy.url), 5);
    const waiting = session.ready().catch((error: unknown) => error);
    await expect(session.start()).rejects.toBeInstanceOf(EtcdUnavailableError);
    refusals.remove();
    expect(refusals.hits).toBe(3);
    expect(await waiting).toBeInstanceOf(ClientClosedError);
    expect(states).toEqual(['idle', 'connecting', 'closing', 'closed']);
    expect(await leases(server.endpoint)).toEqual([]);
  });

  it('rejects its start when it is closed meanwhile, and gives back what it was granted', async () => {
    const held = proxy.holdAnswer('Lease/LeaseGrant');
    const { session, states } = observedSession(await connect(proxy.url), 5);
    const starting = session.start().catch((error: unknown) => error);
    await held.happened;
    expect(await leases(server.endpoint)).toHaveLength(1);
    await session.close();
    held.remove();
    expect(await starting).toBeInstanceOf(ClientClosedError);
    expect(session.lease).toBeNull();
    expect(states).toEqual(['idle', 'connecting', 'closing', 'closed']);
    expect(await leases(server.endpoint)).toEqual([]);
  });

  it('does not keep those waiting who change their mind', async () => {
    const { session } = observedSession(await connect(proxy.url), 5);
    const reason = new Error('changed my mind');
    await expect(session.ready(AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const left = session.ready(controller.signal).catch((error: unknown) => error);
    const stayed = session.ready(new AbortController().signal);
    controller.abort(reason);
    expect(await left).toBe(reason);
    await session.start();
    expect(await stayed).toBe(session.lease);
    expect(await session.ready()).toBe(session.lease);
  });

  it('tells its present state first to whoever begins to listen', async () => {
    const { session } = await startSession(await connect(proxy.url), 5);
    const states = firstValueFrom(session.state$);
    expect(await states).toBe('active');
  });
});
