import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leases } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { synHole } from '../../support/syn-hole.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor, within } from '../../support/wait-for.js';
import { WorkerProcess } from '../../support/worker-process.js';

const lines = await availableEtcdLines();
const file = new URL('./closing.worker.ts', import.meta.url);

/** FACTS.md, Lease: plain etcd3's `close()` stops neither keepalives nor watches: the process lives on. */
describe.runIf(lines.length > 0)('a process whose connection was closed ends by itself', () => {
  let server: EtcdServer;

  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server.stop());

  it('with a session, watches, and a raw lease and watch of the user; its lease is revoked', async () => {
    const worker = await WorkerProcess.start(file, { args: [server.endpoint] });
    const open = await worker.message('open');
    await closes(worker);
    expect(await leases(server.endpoint)).not.toContain(open['lease']);
    // The user's own raw lease is the user's to revoke; nobody keeps it any longer.
    await waitFor(async () => !(await leases(server.endpoint)).includes(open['raw'] as string), {
      what: 'the raw lease to run out',
    });
  });

  it('when etcd went away before', async () => {
    const proxy = await TcpProxy.start({ target: server.address });
    const worker = await WorkerProcess.start(file, { args: [proxy.url] });
    await worker.message('open');
    await proxy.refuse();
    await closes(worker);
    await proxy.close();
  });

  it('when its endpoint froze before', async () => {
    const proxy = await TcpProxy.start({ target: server.address });
    const worker = await WorkerProcess.start(file, { args: [proxy.url] });
    await worker.message('open');
    proxy.blackhole();
    await closes(worker);
    await proxy.close();
  });

  it('when etcd was never there', async () => {
    const proxy = await TcpProxy.start({ target: server.address });
    await proxy.refuse();
    const worker = await WorkerProcess.start(file, { args: [proxy.url] });
    expect((await worker.message('failed'))['error']).toContain('refused');
    await ends(worker);
  });

  it('when nobody answers the handshake of TLS, or of HTTP/2', async () => {
    const silent = await silentServer();
    const { port } = silent.address() as { port: number };
    for (const scheme of ['https', 'http']) {
      const endpoint = `${scheme}://127.0.0.1:${port}`;
      const worker = await WorkerProcess.start(file, { args: [endpoint, '500'] });
      expect((await worker.message('failed'))['error']).toContain('timed-out');
      await ends(worker);
    }
    silent.close();
  });

  it('when a firewall drops its attempts to connect', async () => {
    const hole = await synHole();
    const worker = await WorkerProcess.start(file, { args: [hole.url, '500'] });
    expect((await worker.message('failed'))['error']).toContain('timed-out');
    await ends(worker);
    // Beside an endpoint that works it is no different.
    const both = await WorkerProcess.start(file, { args: [`${server.endpoint},${hole.url}`] });
    await both.message('open');
    await closes(both);
    await hole.close();
  });

  async function closes(worker: WorkerProcess): Promise<void> {
    worker.send({ close: true });
    await ends(worker);
  }

  async function ends(worker: WorkerProcess): Promise<void> {
    await worker.message('closed');
    const code = await within(worker.exit(), {
      timeoutMs: 1000,
      what: () => `the process to end. Its output:\n${worker.output()}`,
    });
    expect(code).toBe(0);
    expect(worker.messages.filter(({ type }) => type === 'unhandled')).toEqual([]);
  }

  /** Accepts connections and says nothing. */
  function silentServer(): Promise<Server> {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume());
    return new Promise((resolve) => silent.listen(0, '127.0.0.1', () => resolve(silent)));
  }
});
