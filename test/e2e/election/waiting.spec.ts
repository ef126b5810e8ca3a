import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { revokeLease } from '../../support/etcd-admin.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Instance, queueOf, TermLog } from './instance.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'a candidate that waits', ({ start }) => {
  let server: ServerUnderTest;
  let network: TcpProxy;
  let proxy: GrpcProxy;
  let a: Instance;
  let b: Instance;
  let c: Instance;
  let round = 0;
  let election: string;

  beforeAll(async () => {
    server = await start();
    network = await TcpProxy.start({ target: server.endpoint });
    proxy = await GrpcProxy.start({ target: network.url });
    [a, b, c] = await Promise.all([
      Instance.start('a', server.endpoint),
      Instance.start('b', proxy.url, { ttlSeconds: 2 }),
      Instance.start('c', server.endpoint),
    ]);
  });
  beforeEach(() => {
    election = `waiting-${(round += 1)}`;
  });
  afterEach(async () => {
    proxy.clearFaults();
    await network.pass();
    await Promise.all([a, b, c].map(({ elections }) => elections.leave(election)));
    expect(await queueOf(server.endpoint, election)).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all([a, b, c].map((instance) => instance?.close()));
    await proxy?.close();
    await network?.close();
    await server?.stop();
  });

  /** `a` leads, `b` waits in the way that is given, and `c` waits behind it. */
  async function queue(wait: () => unknown): Promise<TermLog> {
    const log = new TermLog(b, election);
    await a.elections.campaign(election);
    wait();
    await waitFor(async () => (await queueOf(server.endpoint, election)).at(-1) === 'b', {
      what: 'b to wait',
    });
    await c.elections.join(election);
    expect(await queueOf(server.endpoint, election)).toEqual(['a', 'b', 'c']);
    return log;
  }

  /** Behind the back of its holder. */
  async function keepAlive(lease: string): Promise<void> {
    using etcd = rawEtcd(server.endpoint);
    const stream = await etcd.client.leaseClient.leaseKeepAlive();
    const answered = new Promise((resolve) => stream.on('data', resolve));
    stream.write({ ID: lease });
    await answered;
    stream.end();
  }

  /** `a` hands over, then `c`: if `b` could still be elected it would be now. */
  async function expectNeverElected(log: TermLog): Promise<void> {
    await a.elections.leave(election);
    const term = await waitFor(() => c.elections.term(election), { what: 'c to lead' });
    expect(await c.elections.candidates(election)).toHaveLength(1);
    await term.resign();
    await waitFor(() => (c.elections.term(election)?.epoch ?? 0n) > term.epoch, {
      what: 'c to lead again, alone',
    });
    expect(log.terms).toEqual([]);
  }

  it('is never elected once it left', async () => {
    const log = await queue(() => b.elections.join(election));
    await b.elections.leave(election);
    expect(await queueOf(server.endpoint, election)).toEqual(['a', 'c']);
    await expectNeverElected(log);
  });

  it('is never elected once its campaign was aborted, and leaves no key', async () => {
    const aborter = new AbortController();
    let campaign: Promise<unknown> | undefined;
    const log = await queue(() => {
      campaign = b.elections.campaign(election, { signal: aborter.signal });
      campaign.catch(() => undefined);
    });
    aborter.abort(new Error('no longer wanted'));
    await expect(campaign).rejects.toMatchObject({ code: 'CANDIDACY_ENDED' });
    await waitFor(async () => !(await queueOf(server.endpoint, election)).includes('b'), {
      what: "b's key to go",
    });
    await expectNeverElected(log);
  });

  it('is never elected when it leaves at the moment of its win', async () => {
    const log = await queue(() => b.elections.join(election));
    // Both are on their way at once; whichever comes first, no term may stand afterwards.
    await Promise.all([a.elections.leave(election), b.elections.leave(election)]);
    expect(b.elections.term(election)).toBeNull();
    expect(log.terms.every((term) => term.signal.aborted)).toBe(true);
    await waitFor(() => c.elections.term(election), { what: 'c to lead' });
  });

  it('is back in the queue by itself after its lease was revoked, and never leads under that', async () => {
    const log = await queue(() => b.elections.join(election));
    const revoked = b.session.lease!;
    await revokeLease(server.endpoint, revoked.id);
    await waitFor(async () => (await queueOf(server.endpoint, election)).join() === 'a,c,b', {
      what: 'b to be last in the queue',
    });
    expect(log.terms).toEqual([]);
    await a.elections.leave(election);
    await waitFor(() => c.elections.term(election), { what: 'c to lead' });
    await c.elections.leave(election);
    await waitFor(() => log.standing, { what: 'b to lead' });
    expect(log.terms).toHaveLength(1);
    expect(log.terms[0]!.fence.key).toContain(`/${b.leaseHex}-`);
    expect(b.session.lease!.id).not.toBe(revoked.id);
  });

  it('is never elected under a lease that ran out while it was cut off, and comes back by itself', async () => {
    const log = await queue(() => b.elections.join(election));
    const lost = b.session.lease!;
    network.blackhole();
    await waitFor(async () => (await queueOf(server.endpoint, election)).join() === 'a,c', {
      what: "b's lease to run out",
    });
    expect(lost.isValid()).toBe(false);
    // What a library that still believes in its key would take for its turn.
    await a.elections.leave(election);
    const term = await waitFor(() => c.elections.term(election), { what: 'c to lead' });
    await network.pass();
    await waitFor(async () => (await queueOf(server.endpoint, election)).join() === 'c,b', {
      what: 'b to be back in the queue',
    });
    expect(log.terms).toEqual([]);
    await c.elections.leave(election);
    await waitFor(() => log.standing, { what: 'b to lead' });
    expect(log.epochs).toEqual([log.standing!.epoch]);
    expect(log.standing!.epoch).toBeGreaterThan(term.epoch);
    expect(log.standing!.fence.key).toContain(`/${b.leaseHex}-`);
  });

  it('is never elected under a lost lease whose key is the first for a moment yet', async () => {
    const log = await queue(() => b.elections.join(election));
    const lost = b.session.lease!;
    // It sees everything, but nothing keeps its lease, and nothing ends it before its time.
    for (const method of ['LeaseKeepAlive', 'LeaseGrant', 'LeaseRevoke']) {
      proxy.fail(`Lease/${method}`, { times: Infinity });
    }
    proxy.dropConnections();
    await new Promise((resolve) => lost.signal.addEventListener('abort', resolve));
    await keepAlive(lost.id);
    await a.elections.leave(election);
    expect(await queueOf(server.endpoint, election)).toEqual(['b', 'c']);
    await waitFor(() => c.elections.term(election), { what: 'c to lead' });
    expect(log.terms).toEqual([]);
    proxy.clearFaults();
    await waitFor(async () => (await queueOf(server.endpoint, election)).join() === 'c,b', {
      what: 'b to be back in the queue',
    });
  });
});
