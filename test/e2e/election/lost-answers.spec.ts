import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { GrpcProxy, type FaultManner } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Instance, queueOf, TermLog } from './instance.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'an answer of etcd that is lost', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let a: Instance;
  let b: Instance;
  let round = 0;
  let election: string;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    [a, b] = await Promise.all([
      Instance.start('a', proxy.url),
      Instance.start('b', server.endpoint),
    ]);
  });
  beforeEach(() => {
    election = `lost-${(round += 1)}`;
  });
  afterEach(async () => {
    proxy.clearFaults();
    await Promise.all([a, b].map(({ elections }) => elections.leave(election)));
    expect(await queueOf(server.endpoint, election)).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all([a, b].map((instance) => instance.close()));
    await proxy.close();
    await server.stop();
  });

  const manners: FaultManner[] = ['unavailable', 'cut', 'silence'];

  it.each(manners)('leaves a sole candidate leading with one key (%s)', async (how) => {
    const fault = proxy.loseAnswer('KV/Txn', { how });
    const term = await a.elections.campaign(election);
    expect(fault.hits).toBe(1);
    expect(term.isValid()).toBe(true);
    expect(await queueOf(server.endpoint, election)).toEqual(['a']);
  });

  it('leaves a sole candidate leading though every answer to its first entry was lost', async () => {
    // More than the attempts of one call: the candidacy itself has to ask again.
    const fault = proxy.loseAnswer('KV/Txn', { times: 4 });
    const term = await a.elections.campaign(election);
    expect(fault.hits).toBe(4);
    expect(term.isValid()).toBe(true);
    expect(await queueOf(server.endpoint, election)).toEqual(['a']);
  });

  it('keeps the place in the queue of one that entered behind another', async () => {
    await b.elections.campaign(election);
    const fault = proxy.loseAnswer('KV/Txn', { times: 2 });
    const log = new TermLog(a, election);
    await a.elections.join(election);
    expect(fault.hits).toBe(2);
    expect(await queueOf(server.endpoint, election)).toEqual(['b', 'a']);
    expect(log.terms).toEqual([]);
    await b.elections.leave(election);
    await waitFor(() => log.standing, { what: 'a to lead' });
  });

  it.each(manners)(
    'hands over once all the same when it answered a resignation (%s)',
    async (how) => {
      await a.elections.join(election);
      const log = new TermLog(a, election);
      const first = await waitFor(() => log.standing, { what: 'a to lead' });
      await b.elections.join(election);
      const fault = proxy.loseAnswer('KV/Txn', { how });
      await first.resign();
      expect(fault.hits).toBe(1);
      const second = await waitFor(() => b.elections.term(election), { what: 'b to lead' });
      // The one that resigned stands again, behind, with one key.
      await waitFor(async () => (await queueOf(server.endpoint, election)).join() === 'b,a', {
        what: 'a to wait behind b',
      });
      await second.resign();
      await waitFor(() => log.standing, { what: 'a to lead again' });
      expect(log.epochs).toHaveLength(2);
      expect(log.epochs[1]).toBeGreaterThan(second.epoch);
    },
  );

  it('never leads under an entry that it gave up before it heard of it', async () => {
    const held = proxy.holdAnswer('KV/Txn');
    const aborter = new AbortController();
    const log = new TermLog(a, election);
    const campaign = a.elections.campaign(election, { signal: aborter.signal });
    campaign.catch(() => undefined);
    await held.happened;
    expect(await queueOf(server.endpoint, election)).toEqual(['a']);
    aborter.abort(new Error('no longer wanted'));
    await expect(campaign).rejects.toMatchObject({ code: 'CANDIDACY_ENDED' });
    held.remove();
    await waitFor(async () => (await queueOf(server.endpoint, election)).length === 0, {
      what: 'the key to go',
    });
    expect(log.terms).toEqual([]);
  });
});
