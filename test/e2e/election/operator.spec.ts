import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { deleteKey, keysUnder, revokeLease } from '../../support/etcd-admin.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Instance, prefixOf, queueOf, TermLog } from './instance.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'an operator of etcd', ({ start }) => {
  let server: ServerUnderTest;
  let instances: Instance[];
  let logs: TermLog[];
  let round = 0;
  let election: string;

  beforeAll(async () => {
    server = await start();
    instances = await Promise.all(['a', 'b', 'c'].map((id) => Instance.start(id, server.endpoint)));
  });
  /** All three stand, in their order. */
  beforeEach(async () => {
    election = `operator-${(round += 1)}`;
    logs = instances.map((instance) => new TermLog(instance, election));
    for (const { elections } of instances) await elections.join(election);
    await waitFor(() => logs[0]!.standing, { what: 'a to lead' });
  });
  afterEach(async () => {
    const epochs = logs.flatMap((log) => log.epochs);
    expect(new Set(epochs).size).toBe(epochs.length);
    expect(logs.filter((log) => log.standing).length).toBeLessThanOrEqual(1);
    await Promise.all(instances.map(({ elections }) => elections.leave(election)));
    expect(await queueOf(server.endpoint, election)).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all((instances ?? []).map((instance) => instance.close()));
    await server?.stop();
  });

  const keyOf = async (place: number) =>
    (await keysUnder(server.endpoint, prefixOf(election)))[place]!.key;

  const queued = (order: string) =>
    waitFor(async () => (await queueOf(server.endpoint, election)).join() === order, {
      what: `the queue to be ${order}`,
    });

  it('who deletes the key of one that waits sends it to the end of the queue', async () => {
    await deleteKey(server.endpoint, await keyOf(1));
    await queued('a,c,b');
    expect(logs.map((log) => log.terms.length)).toEqual([1, 0, 0]);
    expect(logs[0]!.standing).toBeDefined();
  });

  it("who deletes the leader's key ends its term: the next one leads, and it queues up again", async () => {
    const { epoch, signal } = logs[0]!.standing!;
    await deleteKey(server.endpoint, await keyOf(0));
    const next = await waitFor(() => logs[1]!.standing, { what: 'b to lead' });
    await waitFor(() => signal.aborted, { what: "a's term to end" });
    expect(signal.reason).toMatchObject({ reason: 'key-deleted' });
    expect(next.epoch).toBeGreaterThan(epoch);
    await queued('b,c,a');
  });

  it('who deletes every key leaves one leader of three candidates in the end', async () => {
    const { epoch, signal } = logs[0]!.standing!;
    using etcd = rawEtcd(server.endpoint);
    await etcd.client.delete().prefix(prefixOf(election));
    await waitFor(() => signal.aborted, { what: "a's term to end" });
    await waitFor(async () => (await queueOf(server.endpoint, election)).length === 3, {
      what: 'all three to be back',
    });
    const [first] = await keysUnder(server.endpoint, prefixOf(election));
    const standing = () => logs.map((log) => log.standing).filter(Boolean);
    await waitFor(() => standing().length === 1, { what: 'one leader' });
    expect(standing()[0]!.fence.key).toBe(first!.key);
    expect(standing()[0]!.epoch).toBeGreaterThan(epoch);
  });

  it("who revokes the leader's lease ends its session and its term, and it comes back on another", async () => {
    const [a] = instances;
    const { signal } = logs[0]!.standing!;
    const lease = a!.session.lease!;
    await revokeLease(server.endpoint, lease.id);
    await waitFor(() => logs[1]!.standing, { what: 'b to lead' });
    await waitFor(() => signal.aborted, { what: "a's term to end" });
    await queued('b,c,a');
    expect(a!.session.lease!.id).not.toBe(lease.id);
  });

  it('who puts a key by hand holds nobody up', async () => {
    using etcd = rawEtcd(server.endpoint);
    for (const { elections } of instances) await elections.leave(election);
    await etcd.client.put(`${prefixOf(election)}README`).value('not a record');
    await instances[0]!.elections.join(election);
    await waitFor(() => logs[0]!.standing, { what: 'a to lead' });
    expect(await instances[1]!.elections.candidates(election)).toMatchObject([
      { candidateId: 'a' },
    ]);
    await etcd.client.delete().key(`${prefixOf(election)}README`);
  });

  it("who leaves a dead candidate's key without a lease holds nobody up, and its guard ends", async () => {
    for (const { elections } of instances) await elections.leave(election);
    const orphan = `${prefixOf(election)}abc-0`;
    const { etcd } = instances[1]!.client;
    await etcd.put(orphan).value('touched');
    await instances[0]!.elections.join(election);
    await waitFor(() => logs[0]!.standing, { what: 'a to lead' });
    // Before anybody led over it: a write that it guards must not be applied any more.
    expect(await etcd.get(orphan).string()).toBeNull();
  });

  it("who puts something over the leader's key takes it from its lease: the next one leads", async () => {
    using etcd = rawEtcd(server.endpoint);
    const { signal } = logs[0]!.standing!;
    await etcd.client.put(await keyOf(0)).value('touched');
    await waitFor(() => logs[1]!.standing, { what: 'b to lead' });
    await waitFor(() => signal.aborted, { what: "a's term to end" });
    await queued('b,c,a');
  });
});

describe('what a candidate says of itself', () => {
  let server: ServerUnderTest;
  let instance: Instance;

  beforeAll(async () => {
    server = await servers[0]!.start();
    instance = await Instance.start('a', server.endpoint);
  });
  afterAll(async () => {
    await instance?.close();
    await server?.stop();
  });

  it.each([
    ['a number', 7],
    ['null', null],
    ['a buffer', Buffer.from('x')],
    ['64 KiB and a byte', 'x'.repeat(64 * 1024 + 1)],
  ])('is refused if it is %s, and changes nothing', async (_, value) => {
    const { elections } = instance;
    const election = `said-${typeof value}`;
    const bad = { value: value as string };
    const refusal = { code: 'INVALID_CANDIDACY', option: 'value' };
    await expect(elections.join(election, bad)).rejects.toMatchObject(refusal);
    await expect(elections.campaign(election, bad)).rejects.toMatchObject(refusal);
    await elections.join(election, { value: 'good' });
    await expect(elections.join(election, bad)).rejects.toMatchObject(refusal);
    expect(await elections.candidates(election)).toMatchObject([{ value: 'good' }]);
    await elections.leave(election);
  });

  it('is kept out of it with options that are none', async () => {
    const { elections } = instance;
    await expect(elections.join('e', null as never)).rejects.toMatchObject({ option: 'options' });
    await expect(elections.campaign('e', { signal: 'x' as never })).rejects.toMatchObject({
      code: 'INVALID_CANDIDACY',
      option: 'signal',
    });
    expect(await elections.candidates('e')).toEqual([]);
  });

  it('may be as long as it is allowed to be', async () => {
    const value = 'x'.repeat(64 * 1024);
    await instance.elections.join('long', { value });
    expect(await instance.elections.candidates('long')).toMatchObject([{ value }]);
  });
});
