import { setTimeout as pause } from 'node:timers/promises';

/** One way of doing a piece of work. */
export interface Contender {
  readonly name: string;
  /** Does the work once and gives its figure, in the unit of the measure. */
  run(): Promise<number>;
}

/**
 * Something to measure, by several contenders. The first is what the others are compared with, and
 * the second is what is judged. One who stands alone is judged itself, but not by a ratio.
 */
export interface Measure {
  readonly title: string;
  readonly unit: string;
  readonly rounds: number;
  readonly contenders: readonly Contender[];
  /** The judged figure is to be at most this many times the first one's. */
  readonly atMostRatio?: number;
  /** The judged figure, a rate, is to be at least this many times the first one's. */
  readonly atLeastRatio?: number;
  /** The judged figure is to be at most this. */
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
  /** Null if there is no target, or nobody to compare with. */
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
  { atMost, atMostRatio, atLeastRatio }: Measure,
  figures: readonly Figure[],
  ratios: readonly number[],
): boolean | null {
  const [figure, ratio] = [(figures[1] ?? figures[0]!).median, ratios[0]];
  const targets = [
    atMost === undefined ? null : figure <= atMost,
    atMostRatio === undefined || ratio === undefined ? null : ratio <= atMostRatio,
    atLeastRatio === undefined || ratio === undefined ? null : ratio >= atLeastRatio,
  ].filter((met) => met !== null);
  return targets.length === 0 ? null : targets.every((met) => met);
}
