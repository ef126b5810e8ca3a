import type { SeededRandom } from '../../support/seeded-random.js';
import type { Fault } from './fault.js';

/** Turns that a kind gets while one that must hit once a minute gets one. */
const RARE = 0.25;
/** What a turn costs that hit nobody: it comes again sooner. */
const IN_VAIN = 0.5;

interface Card {
  readonly fault: Fault;
  readonly weight: number;
  /** Turns that it had, and by how much it was behind at the beginning. */
  turns: number;
  out: boolean;
}

/**
 * Says which kind of fault is next: always the one that has had least of its share. So each gets its turn, however
 * short the luck; the seed decides only who begins.
 */
export class FaultDeck {
  private readonly cards: readonly Card[];

  constructor(faults: readonly Fault[], random: SeededRandom) {
    this.cards = faults.map((fault) => ({
      fault,
      weight: fault.leastPerMinute || RARE,
      turns: random.next() * (fault.leastPerMinute > 0 ? 0.5 : 1),
      out: false,
    }));
  }

  /** Null while each kind is out. */
  take(): Fault | null {
    const [next] = this.cards
      .filter(({ out }) => !out)
      .sort((a, b) => a.turns / a.weight - b.turns / b.weight);
    if (!next) return null;
    next.out = true;
    return next.fault;
  }

  giveBack(fault: Fault, hit: boolean): void {
    const card = this.cards.find((one) => one.fault === fault)!;
    card.out = false;
    card.turns += hit ? 1 : IN_VAIN;
  }
}
