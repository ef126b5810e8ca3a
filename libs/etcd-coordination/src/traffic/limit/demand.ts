import type { SharedRule } from './share-ground.js';

/** How much of the newest look counts. */
const WEIGHT = 0.6;

/** How much of a fleet's limit is asked of this process, in parts of the whole. */
export class Demand {
  /** Smoothed. */
  rate = 0;
  /** Whether anything was asked for of late. */
  isThere = false;
  wasRefused = false;
  lookedAt: number;

  constructor(
    private readonly rule: Pick<SharedRule, 'takeUsage' | 'perMs'>,
    now: number,
  ) {
    this.lookedAt = now;
  }

  /** Takes a look, if the last one is so long ago. */
  look(now: number, everyMs: number): void {
    const ms = now - this.lookedAt;
    if (ms < everyMs) return;
    const { offered, wasRefused } = this.rule.takeUsage();
    const rate = offered / ms / this.rule.perMs();
    this.lookedAt = now;
    this.rate = this.rate * (1 - WEIGHT) + rate * WEIGHT;
    this.isThere = offered > 0;
    this.wasRefused = wasRefused;
  }
}
