import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  EtcdTimeoutError,
  WriteOutcomeUnknownError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor, within } from '../../support/wait-for.js';
import { renewal, startSession } from '../session/sessions.js';
import { connect } from './connecting.js';

const lines = await availableEtcdLines();
const timeouts = { heartbeat: 300, read: 300, write: 600, registration: 900 };

/** FACTS.md, Calls: with plain etcd3 11 of 30 gets hung for 33 s, and one expired deadline failed all calls for 5 s. */
describe.each(lines)('calls and frozen members, etcd %s', (line) => {
  let cluster: EtcdCluster;

  beforeAll(async () => {
    cluster = await EtcdCluster.start({ line });
    await putKey(cluster.members[0]!.server.endpoint, 'k', 'v');
  });
  afterEach(() => cluster.heal());
  afterAll(() => cluster.stop());

  it('answers each of 30 gets while one of three members is frozen', async () => {
    const { etcd } = await connect(cluster.endpoints);
    // One call at each, so that their connections stand when the member freezes.
    await Promise.all([1, 2, 3].map(() => etcd.get('k').string()));
    const [follower] = await cluster.followers();
    follower!.freeze();
    for (let i = 0; i < 10; i += 1) expect(await etcd.get('k').string()).toBe('v');
    const gets = Array.from({ length: 20 }, () => etcd.get('k').string());
    expect(new Set(await Promise.all(gets))).toEqual(new Set(['v']));
  });

  it('gives up on a single frozen endpoint at the deadline of each class, and comes back', async () => {
    const member = cluster.members[0]!;
    const client = await connect(member.endpoint, { timeouts });
    const { etcd } = client;
    const { session, lease } = await startSession(client, 60);
    const old = etcd.lease(60, { autoKeepAlive: false });
    await old.grant();
    member.freeze();

    // A write that was sent and expired may have been applied.
    const put = etcd.put('w').value('v').exec();
    await expect(put).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    const calls = {
      read: () => etcd.get('k').string(),
      write: () => old.revoke(),
      registration: () => client.leaseGrant('12345', 5),
    };
    for (const [timeout, call] of Object.entries(calls)) {
      const limit = timeouts[timeout as keyof typeof calls];
      const error = await within(
        call().then(
          () => null,
          (failure: unknown) => failure,
        ),
        // Generous: it must end by its deadline, not by that of HTTP/2 pings or of TCP.
        { timeoutMs: limit + 1500, what: `a ${timeout} to give up` },
      );
      expect(error).toBeInstanceOf(EtcdTimeoutError);
      expect((error as Error).message).toContain(`within ${limit} ms`);
    }
    // No breaker: the very next calls go through.
    member.thaw();
    await waitFor(() => etcd.get('k').string(), { what: 'the member to answer again' });
    const later = Array.from({ length: 10 }, () => etcd.get('k').string());
    expect(new Set(await Promise.all(later))).toEqual(new Set(['v']));
    await old.revoke();
    expect(session.lease).toBe(lease);
  });

  it('lets a deadline that its caller has chosen stand above its own', async () => {
    const member = cluster.members[0]!;
    const { etcd } = await connect(member.endpoint);
    member.freeze();
    const call = etcd.kv.range({ key: Buffer.from('k') }, { deadline: Date.now() + 150 });
    const error = await call.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(EtcdTimeoutError);
  });

  it('moves calls, a lease and a raw watch on when a member is killed', async () => {
    const [victim] = await cluster.followers();
    const client = await connect(victim!.endpoint);
    const { session, lease } = await startSession(client, 3);
    const seen: string[] = [];
    const watcher = await client.etcd.watch().key('moved').create();
    watcher.on('put', (kv) => seen.push(kv.value.toString()));
    client.setEndpoints(cluster.endpoints);
    await victim!.kill();

    for (let i = 0; i < 5; i += 1) expect(await client.etcd.get('k').string()).toBe('v');
    await renewal(lease);
    const witness = cluster.members.find((member) => member !== victim)!;
    using raw = rawEtcd(witness.server.endpoint);
    let n = 0;
    await waitFor(
      async () => {
        await raw.client.put('moved').value(`${(n += 1)}`);
        return seen.length > 0;
      },
      { what: 'the watch to go on', intervalMs: 50 },
    );
    await watcher.cancel();
    expect(session.lease).toBe(lease);
  });
});
