import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../support/seeded-random.js';
import type { Fleet } from '../fleet/fleet.js';
import type { NemesisNote } from '../history/note.js';
import type { NoteTaker } from '../history/notebook.js';
import type { ChaosCluster } from './chaos-cluster.js';
import { FaultDeck } from './fault-deck.js';
import type { Battlefield, Fault, Lane } from './fault.js';

export interface NemesisOptions {
  readonly cluster: ChaosCluster;
  readonly fleet: Fleet;
  readonly random: SeededRandom;
  readonly ttlMs: number;
  readonly book: NoteTaker<NemesisNote>;
  /** See `faultsFor`. */
  readonly faults: readonly Fault[];
}

/** How many go on side by side. */
const HANDS: Readonly<Record<Lane, number>> = { processes: 2, network: 1, etcd: 1 };
/** Between two faults of a hand, in which what was hit may come to itself. */
const REST_MS = [200, 1_200] as const;

/** Does harm to the processes, the network and etcd, of every kind, in an order that a seed decides. */
export class Nemesis {
  /** What went wrong with the faults themselves, as whole sentences: not the fault of what is under test. */
  readonly problems: string[] = [];
  private readonly count = new Map<string, { begun: number; hit: number }>();
  private begun = 0;

  constructor(private readonly options: NemesisOptions) {
    for (const { kind } of options.faults) this.count.set(kind, { begun: 0, hit: 0 });
  }

  /** By kind: how many were begun, and how many hit. */
  get counts(): Readonly<Record<string, { readonly begun: number; readonly hit: number }>> {
    return Object.fromEntries(this.count);
  }

  /** Goes on until the signal aborts, and resolves when everything is undone. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { faults, random } = this.options;
    const hands = (Object.keys(HANDS) as Lane[]).flatMap((lane) => {
      const deck = new FaultDeck(
        faults.filter((fault) => fault.lane === lane),
        random,
      );
      return Array.from({ length: HANDS[lane] }, () => this.harm(deck, signal));
    });
    await Promise.all(hands);
    await this.undo();
  }

  private async harm(deck: FaultDeck, signal: AbortSignal): Promise<void> {
    const { random } = this.options;
    while (!signal.aborted) {
      await sleep(random.int(...REST_MS), undefined, { signal }).catch(() => undefined);
      const fault = signal.aborted ? null : deck.take();
      if (fault) deck.giveBack(fault, await this.inflict(fault, signal));
    }
  }

  /** Whether it hit. */
  private async inflict(fault: Fault, signal: AbortSignal): Promise<boolean> {
    const { kind, lane } = fault;
    const { book, cluster, fleet, random, ttlMs } = this.options;
    const counted = this.count.get(kind)!;
    let name: string | null = null;
    const begun = (targets: readonly string[]) => {
      name = `${kind} ${(this.begun += 1)}`;
      counted.begun += 1;
      book.note({ type: 'fault-begun', fault: name, kind, targets });
    };
    const thawed = (member: string) => book.note({ type: 'thawed', fault: name ?? kind, member });
    let hit = false;
    try {
      const field: Battlefield = { cluster, fleet, random, ttlMs, signal, begun, thawed };
      hit = await fault.inflict(field);
    } catch (error) {
      this.problems.push(`The fault "${kind}" failed: ${String(error)}.`);
      // The next one must find a whole cluster, and so must those who judge.
      if (lane === 'etcd') await this.heal();
    }
    if (hit) counted.hit += 1;
    if (name !== null) book.note({ type: 'fault-over', fault: name, hit });
    return hit;
  }

  private async undo(): Promise<void> {
    await this.heal();
    await Promise.all(
      this.options.fleet.slots.map(async (slot) => {
        await Promise.all(slot.ways.map((way) => way.pass()));
        slot.worker.thaw();
        slot.busy = false;
      }),
    );
  }

  private async heal(): Promise<void> {
    try {
      await this.options.cluster.heal();
    } catch (error) {
      this.problems.push(`The cluster could not be healed: ${String(error)}.`);
    }
  }
}
