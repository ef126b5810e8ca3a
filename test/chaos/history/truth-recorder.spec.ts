import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { adminClient, type AdminAccess } from './admin-access.js';
import { finalList } from './final-list.js';
import { TruthRecorder } from './truth-recorder.js';

const lines = await availableEtcdLines();

describe.runIf(lines.length > 0)('the raw watch of the truth', () => {
  let cluster: EtcdCluster;
  let access: AdminAccess;
  let truth: TruthRecorder;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
    access = { endpoints: cluster.members.map(({ server }) => server.endpoint), namespace: 'true' };
    truth = new TruthRecorder(access);
    await truth.start();
  });
  afterAll(async () => {
    await truth.stop();
    await cluster.stop();
  });

  it('misses nothing, whichever member is killed or stands still', async () => {
    const [first, second, third] = cluster.members;
    const written: string[] = [];
    const enough = new AbortController();
    // Past the members that are about to be hit.
    const writer = (async () => {
      using etcd = adminClient(access, [third!.server.endpoint]);
      for (let index = 0; !enough.signal.aborted || index < 20; index += 1) {
        const value = `${index}`;
        const put = etcd.client.put(`true/${index % 7}`).value(value);
        const done = await put.exec().catch(() => null);
        if (done) written.push(value);
      }
    })();
    // It begins at the first, and goes on at the second, and so on.
    await first!.kill();
    await truth.complete();
    await first!.restart();
    second!.freeze();
    await truth.complete();
    second!.thaw();
    enough.abort();
    await writer;
    await truth.complete();

    const told = truth.events.map(({ value }) => value);
    expect(told.filter((value) => written.includes(value))).toEqual(written);
    expect(new Set(told).size).toBe(told.length);
    expect(truth.missed).toEqual([]);
    const last = new Map(truth.events.map((event) => [event.key, { ...event, t: 0 }]));
    const byKey = Object.fromEntries((await finalList(access)).map((one) => [one.key, one]));
    expect(byKey).toEqual(Object.fromEntries(last));
  }, 60_000);

  it('tells of each new leader, once', async () => {
    const terms: string[] = [];
    truth.onTerm = (term) => void terms.push(term);
    await truth.complete();
    const [follower] = await cluster.followers();
    await cluster.moveLeader(follower!);
    await truth.complete();
    const numbers = terms.map(Number);
    expect(numbers.length).toBeGreaterThanOrEqual(2);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  it('keeps to its namespace, and leaves its own marks out', async () => {
    using etcd = adminClient(access, access.endpoints);
    await etcd.client.put('trues/a').value('another');
    await etcd.client.delete().key('true/0').exec();
    await truth.complete();
    expect(truth.events.at(-1)).toMatchObject({ type: 'delete', key: '0', value: '' });
    expect(truth.events.filter(({ key }) => key.startsWith('run-mark/'))).toEqual([]);
  });
});
