import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SessionLostError } from '../../../libs/etcd-coordination/src/session/session-lost.error.js';
import { leaseTtl } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { waitFor } from '../../support/wait-for.js';
import { WorkerProcess } from '../../support/worker-process.js';
import { connect } from '../client/connecting.js';
import { keyStands, putOnLease, renewal, startSession } from './sessions.js';

const lines = await availableEtcdLines();

/** FACTS.md, Lease: after a blocked event loop plain etcd3 still calls its lease valid on waking. */
describe.runIf(lines.length > 0)('a holder that could not look at the clock', () => {
  let server: EtcdServer;

  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterEach(() => vi.useRealTimers());
  afterAll(() => server.stop());

  it('knows in the tick in which its event loop wakes', async () => {
    const { session, lease } = await startSession(await connect(server.endpoint), 1);
    expect(lease.signal.aborted).toBe(false);
    block(1200);
    // No await in between: neither a timer nor an answer can have told it.
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toBeInstanceOf(SessionLostError);
    expect(() => lease.signal.throwIfAborted()).toThrow(SessionLostError);
    expect(lease.isValid()).toBe(false);
    expect(lease.remainingMs()).toBe(0);
    expect(session.lease).toBeNull();
    // And goes on with a new lease.
    expect((await session.ready()).id).not.toBe(lease.id);
  });

  it('keeps its lease through a block that is shorter than it', async () => {
    const { session, lease } = await startSession(await connect(server.endpoint), 5);
    block(2000);
    await renewal(lease);
    expect(session.lease).toBe(lease);
  });

  it('knows the first thing after it was frozen, when others own its keys already', async () => {
    const worker = await WorkerProcess.start(new URL('./holder.worker.ts', import.meta.url), {
      args: [server.endpoint, '2'],
    });
    const { lease, aborted } = await worker.message('holding');
    expect(aborted).toBe(false);
    await putOnLease(server.endpoint, 'frozen', lease as string);
    worker.freeze();
    await waitFor(async () => !(await keyStands(server.endpoint, 'frozen')), {
      what: 'the server to let go',
    });
    worker.thaw();
    expect(await worker.message('woke')).toMatchObject({
      listenerHeard: false,
      aborted: true,
      valid: false,
      remainingMs: 0,
    });
    await worker.kill();
  });

  it.each([
    ['a day ahead', 86_400_000],
    ['a day back', -86_400_000],
  ])('does not mind that the wall clock jumps %s', async (_, jumpMs) => {
    const { session, states, lease } = await startSession(await connect(server.endpoint), 2);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jumpMs });
    expect(lease.remainingMs()).toBeGreaterThan(1000);
    // It neither ends nor lasts longer by it: it is renewed as ever, for no longer than ever.
    await renewal(lease);
    expect(lease.remainingMs()).toBeLessThanOrEqual(1800);
    expect(session.lease).toBe(lease);
    expect(states).toEqual(['idle', 'connecting', 'active']);
    expect(await leaseTtl(server.endpoint, lease.id)).toBeGreaterThanOrEqual(0);
  });

  it('is not kept in office by a wall clock that stands still', async () => {
    const { lease } = await startSession(await connect(server.endpoint), 1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    block(1200);
    expect(lease.signal.aborted).toBe(true);
  });
});

/** Keeps the event loop from turning, by the monotonic clock. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
