import type { ChooseStrategy } from '../service-pool.js';
import type { Candidate } from './candidate.js';
import type { Candidates } from './candidates.js';
import { asShare, hashPair } from '../../client/hash.js';

/** What a choice is made with. */
export interface Draw {
  /** From 0 up to, and without, 1. */
  readonly random: () => number;
  /** Milliseconds of the monotonic clock. */
  readonly now: number;
  /** Of the key that is to find its instance. */
  readonly keyHash: number;
}

/** Chooses one of a set that is not empty. */
type Strategy = (set: Candidates, draw: Draw) => Candidate;

/**
 * Each in its turn, by the order of the ids: whoever comes or goes, between two turns of one that
 * stays every other one that stays has exactly one. A fresh one lets turns pass.
 */
const roundRobin: Strategy = (set) => {
  const { isWarm, greatestRamp } = set.profile;
  for (;;) {
    const next = set.nextTurn();
    // One has the greatest ramp, so this ends within a round.
    if (isWarm || next.ramp === greatestRamp) return next;
    next.credit += next.ramp / greatestRamp;
    if (next.credit < 1) continue;
    next.credit -= 1;
    return next;
  }
};

const random: Strategy = (set, draw) => set.chosen[drawIndex(set, draw)]!;

const weighted: Strategy = (set, draw) => set.chosen[set.weightShares.draw(draw.random)]!;

/**
 * Drawn by weight, and from there on the first one with nothing in flight, or else the one with the
 * least for its weight. So idle instances get their shares.
 */
const leastInFlight: Strategy = (set, draw) => {
  const list = set.chosen;
  const { isWarm, greatestRamp } = set.profile;
  const start = set.weightShares.draw(draw.random);
  let best = list[start]!;
  let least = best.stats.inFlight / best.weight;
  for (let step = 1; step < list.length && least > 0; step += 1) {
    const other = list[start + step < list.length ? start + step : start + step - list.length]!;
    const load = other.stats.inFlight / other.weight;
    if (load >= least) continue;
    if (!isWarm && draw.random() >= other.ramp / greatestRamp) continue;
    [best, least] = [other, load];
  }
  return best;
};

/**
 * Of two that are drawn the better one, by latency × (calls in flight for its weight + 1).
 *
 * Weights count in the draw, and for what is in flight, but not for the latency: dividing all by
 * the weight would send nearly everything to the heaviest of instances that are equally quick.
 */
const powerOfTwo: Strategy = (set, draw) => {
  const list = set.chosen;
  if (list.length === 1) return list[0]!;
  const { isWarm, isEvenlyWeighted, meanWeight } = set.profile;
  if (isWarm && isEvenlyWeighted) {
    const first = Math.floor(draw.random() * list.length);
    const other = Math.floor(draw.random() * (list.length - 1));
    return better(list[first]!, list[other < first ? other : other + 1]!, meanWeight, draw.now);
  }
  // One may be drawn twice, or of two the lighter would get as much as the heavier.
  const shares = set.weightShares;
  const [a, b] = [list[shares.draw(draw.random)]!, list[shares.draw(draw.random)]!];
  return better(a, b, meanWeight, draw.now);
};

function better(a: Candidate, b: Candidate, meanWeight: number, now: number): Candidate {
  return loadOf(a, meanWeight, now) <= loadOf(b, meanWeight, now) ? a : b;
}

function loadOf({ stats, weight }: Candidate, meanWeight: number, now: number): number {
  const latency = stats.latencyMs(now);
  const queued = (stats.inFlight * meanWeight) / weight;
  // Of one that has not answered yet nothing is known; it is not to be given call upon call.
  if (latency === 0) return stats.inFlight === 0 ? 0 : Number.MAX_SAFE_INTEGER * queued;
  return latency * (queued + 1);
}

/**
 * The one that stands highest for the key. Each stands anew for every key, so that when one goes
 * its keys spread over all others, and no other key moves. Neither subsets matter nor who is fresh: they are
 * different ones in each process, and a key is to find the same instance from everywhere.
 */
const rendezvous: Strategy = (set, { keyHash }) => {
  const { isEvenlyWeighted } = set.profile;
  const list = set.everyone;
  const isEven = isEvenlyWeighted && list.length === set.chosen.length;
  let best = list[0]!;
  let highest = -Infinity;
  for (let index = 0; index < list.length; index += 1) {
    const candidate = list[index]!;
    const hash = hashPair(candidate.hash, keyHash);
    // The order is the same, and there is no logarithm in it.
    const score = isEven ? hash : -candidate.weight / Math.log(asShare(hash));
    if (score <= highest) continue;
    [best, highest] = [candidate, score];
  }
  return best;
};

function drawIndex(set: Candidates, draw: Draw): number {
  if (!set.profile.isWarm) return set.rampShares.draw(draw.random);
  return Math.floor(draw.random() * set.chosen.length);
}

/** How each strategy chooses. */
export const STRATEGY: Readonly<Record<ChooseStrategy, Strategy>> = {
  'round-robin': roundRobin,
  random,
  weighted,
  'least-in-flight': leastInFlight,
  'power-of-two': powerOfTwo,
  rendezvous,
};
