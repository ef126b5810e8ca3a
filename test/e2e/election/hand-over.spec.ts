import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeaderTerm } from '../../../libs/etcd-coordination/src/election/leader-term.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Instance, queueOf } from './instance.js';

const CANDIDATES = 100;
const HAND_OVERS = 100;
const ELECTION = 'herd';

// One server shows it: what counts is what the candidates do.
const [server] = (await serversUnderTest()).slice(-2);

describe(`a hundred candidates in a hundred sessions on ${server!.name}`, () => {
  let etcd: ServerUnderTest;
  let instances: Instance[];
  /** Every win, in the order in which they were told, with its moment. */
  const wins: { instance: Instance; term: LeaderTerm; at: number }[] = [];
  /** Whoever was named for an epoch, by anybody. */
  const named = new Map<bigint, Set<string>>();
  const backwards: string[] = [];

  beforeAll(async () => {
    etcd = await server!.start();
    const ids = Array.from({ length: CANDIDATES }, (_, index) => `c${index}`);
    instances = await Promise.all(
      ids.map((id) => Instance.start(id, etcd.endpoint, { ttlSeconds: 60 })),
    );
    for (const instance of instances) {
      instance.elections.term$(ELECTION).subscribe((term) => {
        if (term) wins.push({ instance, term, at: performance.now() });
      });
      let last = 0n;
      instance.elections.observe(ELECTION).subscribe((leader) => {
        if (!leader) return;
        if (leader.epoch < last) backwards.push(`${instance.id}: ${leader.epoch} after ${last}`);
        last = leader.epoch;
        const names = named.get(leader.epoch) ?? new Set();
        named.set(leader.epoch, names.add(leader.leaderId));
      });
      await instance.elections.join(ELECTION);
    }
  });
  afterAll(async () => {
    await Promise.all((instances ?? []).map((instance) => instance.close()));
    await etcd?.stop();
  });

  it('hand over a hundred times in a row: one leads, and nobody else makes a call', async () => {
    await waitFor(() => wins.length === 1, { what: 'the first leader' });
    const took: number[] = [];
    for (let round = 0; round < HAND_OVERS; round += 1) {
      const { instance: leader, term } = wins.at(-1)!;
      const others = instances.filter((instance) => instance !== leader);
      const before = others.map(({ client }) => client.requestsSent);
      const start = performance.now();
      const resigned = term.resign();
      await waitFor(() => wins.length === round + 2, { what: 'the next leader', intervalMs: 1 });
      await resigned;
      took.push(wins.at(-1)!.at - start);
      // Everybody has heard of it, and the one that resigned is back at the end of the queue.
      const { epoch } = wins.at(-1)!.term;
      await waitFor(() => others.every((i) => i.elections.leader(ELECTION)?.epoch === epoch), {
        what: 'everybody to name the new leader',
        intervalMs: 2,
      });
      await waitFor(async () => (await queueOf(etcd.endpoint, ELECTION)).length === CANDIDATES, {
        what: 'the queue to be whole',
        intervalMs: 2,
      });
      expect(others.map(({ client }) => client.requestsSent)).toEqual(before);
      const valid = instances.filter((instance) => instance.elections.term(ELECTION));
      expect(valid.map((instance) => instance.id)).toEqual([wins.at(-1)!.instance.id]);
    }

    expect(wins).toHaveLength(HAND_OVERS + 1);
    // First come, first served: everybody led once before anybody led twice.
    const order = wins.map(({ instance }) => instance.id);
    expect(order).toEqual([...instances.map((instance) => instance.id), 'c0']);
    const epochs = wins.map(({ term }) => term.epoch);
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => (a < b ? -1 : 1)));
    expect([...named.values()].filter((names) => names.size !== 1)).toEqual([]);
    expect(backwards).toEqual([]);
    const p50 = took.sort((a, b) => a - b)[HAND_OVERS / 2]!;
    console.log(`hand-over among ${CANDIDATES} in one process: p50 ${p50.toFixed(1)} ms`);
  }, 90_000);
});
