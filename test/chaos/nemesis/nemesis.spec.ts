import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../support/seeded-random.js';
import type { Entry, NemesisNote } from '../history/note.js';
import type { ChaosCluster } from './chaos-cluster.js';
import { FaultDeck } from './fault-deck.js';
import type { Fault, Lane } from './fault.js';
import { FAULTS, faultsFor } from './faults/index.js';
import { Nemesis } from './nemesis.js';
import { waitFor } from '../../support/wait-for.js';

const fault = (kind: string, part: Partial<Fault> = {}): Fault => ({
  ...{ kind, lane: 'etcd', leastPerMinute: 0 },
  inflict: async () => false,
  ...part,
});

/** A cluster and a fleet of which only is needed that they can be healed. */
function nemesisOf(faults: readonly Fault[]) {
  const notes: Entry<NemesisNote>[] = [];
  const healed: string[] = [];
  const nemesis = new Nemesis({
    cluster: { heal: async () => void healed.push('cluster') } as unknown as ChaosCluster,
    fleet: { slots: [] } as never,
    ...{ random: new SeededRandom(1), ttlMs: 1000, faults },
    book: { note: (entry) => void notes.push(entry) },
  });
  return { nemesis, notes, healed };
}

describe('a deck of faults', () => {
  it('gives each kind its turn, those more often that must hit more often', () => {
    const faults = [
      ...[fault('often', { leastPerMinute: 2 }), fault('once', { leastPerMinute: 1 })],
      ...['a', 'b', 'c', 'd'].map((kind) => fault(kind)),
    ];
    const deck = new FaultDeck(faults, new SeededRandom(7));
    const turns = Array.from({ length: 160 }, () => {
      const next = deck.take()!;
      deck.giveBack(next, true);
      return next.kind;
    });
    const count = (kind: string) => turns.filter((turn) => turn === kind).length;
    expect(Math.abs(count('often') - 2 * count('once'))).toBeLessThanOrEqual(2);
    for (const kind of ['a', 'b', 'c', 'd']) {
      expect(Math.abs(count(kind) - count('once') / 4)).toBeLessThanOrEqual(1.5);
    }
    expect(turns.slice(0, 5)).toContain('once');
  });

  it('gives none out twice at once, and one that hit nobody the sooner again', () => {
    const [a, b] = [fault('a'), fault('b')];
    const deck = new FaultDeck([a, b], new SeededRandom(1));
    const first = deck.take()!;
    const second = deck.take()!;
    expect(new Set([first, second])).toEqual(new Set([a, b]));
    expect(deck.take()).toBeNull();
    deck.giveBack(first, false);
    deck.giveBack(second, true);
    expect(deck.take()).toBe(first);
  });
});

describe('a nemesis', () => {
  it('keeps the lanes apart, counts what hits, and has undone all when it ends', async () => {
    const most: Record<Lane, number> = { processes: 0, network: 0, etcd: 0 };
    const under: Record<Lane, number> = { processes: 0, network: 0, etcd: 0 };
    const stopping = new AbortController();
    const faults = (['processes', 'network', 'etcd'] as const).flatMap((lane) =>
      ['x', 'y', 'z'].map((name) =>
        fault(`${lane} ${name}`, {
          lane,
          async inflict({ begun, signal }) {
            begun([name]);
            most[lane] = Math.max(most[lane], (under[lane] += 1));
            if (name === 'x') await new Promise((end) => signal.addEventListener('abort', end));
            under[lane] -= 1;
            return name === 'y';
          },
        }),
      ),
    );
    const { nemesis, notes, healed } = nemesisOf(faults);
    const run = nemesis.run(stopping.signal);
    await waitFor(() => Object.values(under).every((count) => count > 0), { what: 'every lane' });
    stopping.abort();
    await run;
    expect(most.network).toBe(1);
    expect(most.etcd).toBe(1);
    expect(most.processes).toBeLessThanOrEqual(2);
    expect(healed).toEqual(['cluster']);
    const begun = notes.flatMap((note) => (note.type === 'fault-begun' ? [note.fault] : []));
    const over = notes.flatMap((note) => (note.type === 'fault-over' ? [note] : []));
    expect(new Set(begun).size).toBe(begun.length);
    expect(over.map((note) => note.fault).sort()).toEqual([...begun].sort());
    for (const { fault: name, hit } of over) expect(hit).toBe(name.includes(' y '));
    const counted = Object.values(nemesis.counts).reduce((sum, { hit }) => sum + hit, 0);
    expect(counted).toBe(over.filter(({ hit }) => hit).length);
    expect(nemesis.problems).toEqual([]);
  });

  it('says what is wrong with a fault, heals after it, and goes on', async () => {
    const stopping = new AbortController();
    let times = 0;
    const broken = fault('broken', {
      async inflict({ begun }) {
        begun(['m0']);
        if ((times += 1) === 2) stopping.abort();
        throw new Error('no such member');
      },
    });
    const { nemesis, notes, healed } = nemesisOf([broken]);
    await nemesis.run(stopping.signal);
    expect(nemesis.problems).toHaveLength(2);
    expect(nemesis.problems[0]).toContain('"broken" failed: Error: no such member');
    expect(healed).toHaveLength(3);
    expect(notes.filter((note) => note.type === 'fault-over')).toHaveLength(2);
  });
});

describe('the faults', () => {
  it('have each a name of its own, and are left out where they cannot be had', () => {
    expect(new Set(FAULTS.map(({ kind }) => kind)).size).toBe(FAULTS.length);
    const plain = faultsFor({ has: new Set(['peer-proxies']) }).map(({ kind }) => kind);
    expect(plain).toContain('isolate leader');
    expect(plain).not.toContain('expire certificates');
    expect(plain).not.toContain('disk full');
    expect(
      faultsFor({ has: new Set(['tls']) }, ['kill leader', 'expire certificates']),
    ).toHaveLength(2);
    expect(() => faultsFor({ has: new Set() }, ['kill everybody'])).toThrow(
      /kill everybody.*there are: .*kill leader/,
    );
  });
});
