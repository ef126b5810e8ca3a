import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { LeaderTerm } from '../../../libs/etcd-coordination/src/election/leader-term.js';
import { runInTerm } from '../../../libs/etcd-coordination/src/election/run-in-term.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor, within } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Instance, queueOf } from './instance.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'an instance that shuts down', ({ start }) => {
  let server: ServerUnderTest;
  let network: TcpProxy;
  let other: Instance;
  let instance: Instance;
  let round = 0;
  let election: string;

  beforeAll(async () => {
    server = await start();
    network = await TcpProxy.start({ target: server.endpoint });
    other = await Instance.start('other', server.endpoint);
  });
  beforeEach(async () => {
    election = `shutdown-${(round += 1)}`;
    instance = await Instance.start('stopping', network.url);
  });
  afterEach(async () => {
    await instance.close();
    await network.pass();
    await other.elections.leave(election);
  });
  afterAll(async () => {
    await other?.close();
    await network?.close();
    await server?.stop();
  });

  const queue = () => queueOf(server.endpoint, election);

  it('first leaves the elections that it waits in, and keeps those that it leads', async () => {
    const led = `${election}-led`;
    const term = await instance.elections.campaign(led);
    await other.elections.campaign(election);
    await instance.elections.join(election);
    const campaign = instance.elections.campaign(election);
    campaign.catch(() => undefined);
    await waitFor(async () => (await queue()).length === 3, { what: 'all to stand' });
    await instance.elections.withdraw();
    expect(await queue()).toEqual(['other']);
    await expect(campaign).rejects.toMatchObject({ code: 'CANDIDACY_ENDED' });
    expect(term.isValid()).toBe(true);
    const refused = { code: 'CANDIDACY_ENDED', message: expect.stringMatching(/shutting down/) };
    await expect(instance.elections.join(election)).rejects.toMatchObject(refused);
    await expect(instance.elections.campaign(election)).rejects.toMatchObject(refused);
  });

  it('aborts the signal, drains the work under its term, and only then hands over', async () => {
    const term = await instance.elections.campaign(election);
    const next = other.elections.campaign(election);
    const order: string[] = [];
    void next.then(() => order.push('other leads'));
    const work = runInTerm(term, () => untilAborted(term, order));
    await instance.elections.handOver(30_000);
    await next;
    await work;
    expect(order).toEqual(['aborted', 'work ended', 'other leads']);
    expect(term.signal.reason).toMatchObject({ reason: 'shutdown' });
  });

  it('hands over at once when nothing runs', async () => {
    await instance.elections.campaign(election);
    const next = other.elections.campaign(election);
    await waitFor(async () => (await queue()).length === 2, { what: 'the other to wait' });
    await instance.elections.handOver(30_000);
    expect((await within(next, { what: 'the other to lead' })).isValid()).toBe(true);
  });

  it('hands over all the same when the work takes longer than its budget', async () => {
    const term = await instance.elections.campaign(election);
    const next = other.elections.campaign(election);
    let finish: () => void = () => undefined;
    const work = runInTerm(term, () => new Promise<void>((resolve) => (finish = resolve)));
    await instance.elections.handOver(50);
    expect((await next).isValid()).toBe(true);
    expect(term.isValid()).toBe(false);
    finish();
    await work;
  });

  it('does not wait for work that resigns its term in turn', async () => {
    const term = await instance.elections.campaign(election);
    const work = runInTerm(term, async () => {
      await untilAborted(term, []);
      await term.resign();
    });
    await within(instance.elections.handOver(60_000), { what: 'the hand-over' });
    await work;
  });

  it('completes what others follow: terms and leaders', async () => {
    await instance.elections.join(election);
    const told: string[] = [];
    instance.elections.term$(election).subscribe({
      next: (term) => told.push(term ? 'term' : 'none'),
      complete: () => told.push('terms complete'),
    });
    await waitFor(() => told.includes('term'), { what: 'the term' });
    instance.elections.observe(election).subscribe({
      next: (leader) => told.push(leader?.leaderId ?? 'nobody'),
      complete: () => told.push('leaders complete'),
    });
    await waitFor(() => told.includes('stopping'), { what: 'the leader' });
    await instance.close();
    expect(told.filter((word) => word.endsWith('complete'))).toHaveLength(2);
    expect(told.lastIndexOf('none')).toBeGreaterThan(told.indexOf('term'));
    // What is asked of it afterwards is answered, with an error.
    await expect(
      within(instance.elections.candidates(election), { what: 'an answer' }),
    ).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
    expect(await queue()).toEqual([]);
  });

  it('ends without etcd too', async () => {
    const term = await instance.elections.campaign(election);
    await other.elections.join(election);
    await network.refuse();
    await within(instance.close(), { timeoutMs: 25_000, what: 'the instance to close' });
    expect(term.signal.aborted).toBe(true);
  });
});

/** Work that stops when it is told to, some turns of the loop later. */
async function untilAborted(term: LeaderTerm, order: string[]): Promise<void> {
  await new Promise<void>((resolve) => {
    term.signal.addEventListener('abort', () => resolve());
  });
  order.push('aborted');
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  order.push('work ended');
}
