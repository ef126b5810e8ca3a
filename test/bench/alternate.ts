import { setTimeout as pause } from 'node:timers/promises';

/** One way of doing a piece of work. */
export interface Contender {
  readonly name: string;
  /** Does the work once and gives its figure, in the unit of the measure; smaller is better. */
  run(): Promise<number>;
}

/** Something to measure, by several contenders. The first is what the others are compared with. */
export interface Measure {
  readonly title: string;
  readonly unit: string;
  readonly rounds: number;
  readonly contenders: readonly Contender[];
  /** The second contender's figure is to be at most this many times the first one's. */
  readonly atMostRatio?: number;
  /** The second contender's figure is to be at most this. */
  readonly atMost?: number;
}

export interface Figure {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Outcome {
  readonly measure: Measure;
  readonly figures: readonly Figure[];
  /** Median of the ratios within each round, for each contender after the first. */
  readonly ratios: readonly number[];
  readonly met: boolean | null;
}

/**
 * Runs the contenders in turn, A B A B …, so that a machine whose speed drifts drifts for
 * all of them, and compares them round by round. The first round only warms up.
 */
export async function alternate(measure: Measure): Promise<Outcome> {
  const samples = measure.contenders.map(() => [] as number[]);
  for (let round = 0; round <= measure.rounds; round++) {
    for (const [i, contender] of measure.contenders.entries()) {
      // What the one before left to be cleared away is not this one's.
      await pause(5);
      const figure = await contender.run();
      if (round > 0) samples[i]!.push(figure);
    }
  }
  const [base, ...others] = samples as [number[], ...number[][]];
  const ratios = others.map((own) => median(own.map((figure, i) => figure / base[i]!)));
  const figures = measure.contenders.map(({ name }, i) => summary(name, samples[i]!));
  return { measure, figures, ratios, met: verdict(measure, figures, ratios) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function summary(name: string, samples: readonly number[]): Figure {
  return { name, median: median(samples), min: Math.min(...samples), max: Math.max(...samples) };
}

function verdict(
  { atMost, atMostRatio }: Measure,
  figures: readonly Figure[],
  ratios: readonly number[],
): boolean | null {
  if (atMost === undefined && atMostRatio === undefined) return null;
  const absolute = atMost === undefined || (figures[1] ?? figures[0]!).median <= atMost;
  const relative = atMostRatio === undefined || ratios[0]! <= atMostRatio;
  return absolute && relative;
}
