import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { filter, firstValueFrom } from 'rxjs';
import { currentFence } from '../../../libs/etcd-coordination/src/context/ownership-context.js';
import { currentTerm } from '../../../libs/etcd-coordination/src/election/current-term.js';
import type { Leadership } from '../../../libs/etcd-coordination/src/election/leadership.js';
import type { LeaderTerm } from '../../../libs/etcd-coordination/src/election/leader-term.js';
import { runInTerm } from '../../../libs/etcd-coordination/src/election/run-in-term.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { waitFor, within } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Instance, prefixOf, queueOf, TermLog } from './instance.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'terms', ({ start }) => {
  let server: ServerUnderTest;
  let a: Instance;
  let b: Instance;
  let round = 0;
  let election: string;

  beforeAll(async () => {
    server = await start();
    [a, b] = await Promise.all([
      Instance.start('a', server.endpoint),
      Instance.start('b', server.endpoint),
    ]);
  });
  beforeEach(() => {
    election = `terms-${(round += 1)}`;
  });
  afterEach(async () => {
    await Promise.all([a, b].map(({ elections }) => elections.leave(election)));
    expect(await queueOf(server.endpoint, election)).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await server?.stop();
  });

  /** The term that an instance has, or gets. */
  function term(of: Instance, after = 0n): Promise<LeaderTerm> {
    const wanted = () => {
      const own = of.elections.term(election);
      return own && own.epoch > after ? own : null;
    };
    return waitFor(wanted, { what: `${of.id} to lead`, intervalMs: 1 });
  }

  it('are told as they begin and end, to the process itself and to all others', async () => {
    const log = new TermLog(a, election);
    const seen: (Leadership | null)[] = [];
    const watching = b.elections.observe(election).subscribe((leader) => seen.push(leader));
    await waitFor(() => seen.length > 0, { what: 'the first word' });
    await a.elections.join(election, { value: 'http://a' });
    const first = await term(a);
    await waitFor(() => seen.length === 2, { what: 'a to be seen' });
    await b.elections.join(election, { value: 'http://b' });
    await first.resign();
    const second = await term(b);
    await second.resign();
    const third = await term(a, second.epoch);
    await waitFor(() => seen.at(-1)?.epoch === third.epoch, { what: 'a to be seen again' });
    await Promise.all([a, b].map(({ elections }) => elections.leave(election)));
    await waitFor(() => seen.at(-1) === null, { what: 'nobody to be seen' });
    watching.unsubscribe();

    expect(log.told).toEqual([null, first.epoch, null, third.epoch, null]);
    const words = seen.filter(Boolean).map((l) => [l!.leaderId, l!.value, l!.epoch]);
    expect(seen[0]).toBeNull();
    expect(words.slice(0, 3)).toEqual([
      ['a', 'http://a', first.epoch],
      ['b', 'http://b', second.epoch],
      ['a', 'http://a', third.epoch],
    ]);
    expect(first.epoch < second.epoch && second.epoch < third.epoch).toBe(true);
  });

  it('are told in the same order to everybody, even if one who is told resigns at once', async () => {
    const seen: (bigint | null)[] = [];
    const epochs: bigint[] = [];
    const resigning = a.elections.term$(election).subscribe((own) => {
      if (own && epochs.push(own.epoch) < 3) void own.resign();
    });
    const watching = a.elections.term$(election).subscribe((own) => seen.push(own?.epoch ?? null));
    await a.elections.join(election);
    await waitFor(() => epochs.length === 3, { what: 'three terms' });
    expect(seen).toEqual([null, epochs[0], null, epochs[1], null, epochs[2]]);
    resigning.unsubscribe();
    watching.unsubscribe();
  });

  it('of one who leaves on being told of its win do not last', async () => {
    const log = new TermLog(a, election);
    const leaving = a.elections.term$(election).subscribe((own) => {
      if (own) void a.elections.leave(election);
    });
    await a.elections.join(election);
    await b.elections.join(election);
    await term(b);
    leaving.unsubscribe();
    expect(log.terms.map((own) => own.signal.aborted)).toEqual([true]);
    expect(a.elections.term(election)).toBeNull();
  });

  it('follow each other when one process campaigns twice, each on a key of its own', async () => {
    const first = await a.elections.campaign(election);
    const second = a.elections.campaign(election);
    await waitFor(async () => (await queueOf(server.endpoint, election)).length === 2, {
      what: 'two keys',
    });
    expect(first.isValid()).toBe(true);
    await first.resign();
    const next = await second;
    expect(first.signal.aborted).toBe(true);
    expect(next.fence.key).not.toBe(first.fence.key);
    expect(next.epoch).toBeGreaterThan(first.epoch);
    await next.resign();
    expect(await queueOf(server.endpoint, election)).toEqual([]);
  });

  it('come of joining once, however often one joins, and the last value counts', async () => {
    await b.elections.join(election);
    await a.elections.join(election, { value: 'old' });
    await Promise.all([
      a.elections.join(election),
      a.elections.join(election, { value: 'newer' }),
      a.elections.join(election, { value: 'newest' }),
    ]);
    expect(await queueOf(server.endpoint, election)).toEqual(['b', 'a']);
    const value = async () => (await b.elections.candidates(election)).at(-1)?.value;
    await waitFor(async () => (await value()) === 'newest', { what: 'the new value' });
    await b.elections.leave(election);
    await term(a);
    const seen = () => b.elections.leader(election);
    await waitFor(() => seen()?.leaderId === 'a', { what: 'b to see a lead' });
    expect(seen()).toMatchObject({ value: 'newest' });
  });

  it('come of joining while an earlier candidacy is on its way out', async () => {
    await a.elections.join(election);
    const { epoch } = await term(a);
    const left = a.elections.leave(election);
    await a.elections.join(election);
    await left;
    expect((await term(a, epoch)).epoch).toBeGreaterThan(epoch);
    expect(await queueOf(server.endpoint, election)).toEqual(['a']);
  });

  it('do not come of a campaign whose signal was aborted before', async () => {
    const sent = a.client.requestsSent;
    const signal = AbortSignal.abort(new Error('too late'));
    const refused = { code: 'CANDIDACY_ENDED', message: expect.stringMatching(/aborted/) };
    await expect(a.elections.campaign(election, { signal })).rejects.toMatchObject(refused);
    await expect(a.elections.join(election, { signal })).rejects.toMatchObject(refused);
    expect(a.client.requestsSent).toBe(sent);
  });

  it('end with the signal that the candidate joined with', async () => {
    const aborter = new AbortController();
    await a.elections.join(election, { signal: aborter.signal });
    const own = await term(a);
    aborter.abort();
    expect(own.signal.reason).toMatchObject({ code: 'TERM_ENDED', reason: 'left' });
    await waitFor(async () => (await queueOf(server.endpoint, election)).length === 0, {
      what: 'the key to go',
    });
  });

  it('guard writes: those of an ended term are refused', async () => {
    await Promise.all([a.elections.join(election), b.elections.join(election)]);
    const leader = await waitFor(() => [a, b].find((i) => i.elections.term(election)), {
      what: 'a leader',
    });
    const { etcd } = leader.client;
    const own = leader.elections.term(election)!;
    const write = () =>
      etcd
        .if(own.fence.key, 'Create', '==', own.fence.token.toString())
        .then(etcd.put(`guarded/${election}`).value('x'))
        .commit();
    expect(await write()).toMatchObject({ succeeded: true });
    await own.resign();
    expect(await write()).toMatchObject({ succeeded: false });
  });

  it('are found inside the work that runs under them, the innermost first', async () => {
    const inner = `${election}-inner`;
    const outerTerm = await a.elections.campaign(election);
    const innerTerm = await a.elections.campaign(inner);
    expect(currentTerm()).toBeNull();
    await runInTerm(outerTerm, async () => {
      await Promise.resolve();
      expect([currentTerm(), currentFence()]).toEqual([outerTerm, outerTerm.fence]);
      await runInTerm(innerTerm, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        expect([currentTerm(), currentFence()]).toEqual([innerTerm, innerTerm.fence]);
      });
      expect(currentTerm()).toBe(outerTerm);
    });
    expect([currentTerm(), currentFence()]).toEqual([null, null]);
    const [key] = await keysUnder(server.endpoint, prefixOf(inner));
    expect(innerTerm.fence).toEqual({
      resource: `election/${inner}`,
      key: key!.key,
      revision: innerTerm.epoch,
      token: key!.createRevision,
    });
    await innerTerm.resign();
  });

  it('can be resigned from within their own work', async () => {
    const own = await a.elections.campaign(election);
    await within(
      runInTerm(own, async () => {
        await currentTerm()!.resign();
        expect(await queueOf(server.endpoint, election)).toEqual([]);
      }),
      { what: 'the work to end' },
    );
    // Again, and on a term that ended: nothing happens.
    await own.resign();
  });

  it('are seen by whoever asks, without standing in the election', async () => {
    expect(await b.elections.candidates(election)).toEqual([]);
    expect(b.elections.leader(election)).toBeNull();
    const seen = firstValueFrom(b.elections.observe(election).pipe(filter((l) => l !== null)));
    await a.elections.join(election, { value: 'v' });
    const leader = await seen;
    expect(leader).toMatchObject({ election, leaderId: 'a', value: 'v' });
    expect(b.elections.leader(election)).toEqual(leader);
    expect(await b.elections.candidates(election)).toEqual([
      { candidateId: 'a', value: 'v', since: leader.epoch },
    ]);
  });
});
