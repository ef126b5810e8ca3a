import type { Candidate } from './candidate.js';

/** The parts that candidates have of one whole, to draw by. */
export class Shares {
  /** The sum of the parts up to each candidate, itself included. */
  private readonly sums: Float64Array;
  private readonly total: number;

  constructor(
    private readonly list: readonly Candidate[],
    partOf: (candidate: Candidate) => number,
  ) {
    this.sums = new Float64Array(list.length);
    let total = 0;
    for (let index = 0; index < list.length; index += 1) {
      total += partOf(list[index]!);
      this.sums[index] = total;
    }
    this.total = total;
  }

  /** The index of one of them, each as likely as its part is large. */
  draw(random: () => number): number {
    const target = random() * this.total;
    let [low, high] = [0, this.list.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sums[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
