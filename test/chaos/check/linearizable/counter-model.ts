import type { Model } from './model.js';
import { isAmbiguous, type Operation } from './operation.js';

/** A counter that begins as 0; each addition is of something positive and answers with the sum. */
export const counterModel: Model<bigint> = {
  initial: 0n,
  apply: (state, operation) => {
    const { call, result } = operation;
    if (call.call === 'read') return state === numberOf(result) ? { state } : undefined;
    if (call.call !== 'add') return undefined;
    const sum = state + BigInt(call.by);
    return isAmbiguous(operation) || sum === numberOf(result) ? { state: sum } : undefined;
  },
  bridges: (state, operation, ambiguous) => sums(sumBefore(operation) - state, byAmount(ambiguous)),
  needs: sumBefore,
  isHarmless: () => false,
};

function sumBefore({ call, result }: Operation): bigint {
  return numberOf(result) - (call.call === 'add' ? BigInt(call.by) : 0n);
}

/** What was never written is 0. */
function numberOf(text: string | null | undefined): bigint {
  return BigInt(text ?? 0);
}

/** Those that add the same are the same: of each amount the one that was called first is taken first. */
function byAmount(ambiguous: readonly Operation[]): Operation[][] {
  const groups = new Map<number, Operation[]>();
  for (const one of ambiguous) {
    if (one.call.call !== 'add') continue;
    groups.set(one.call.by, [...(groups.get(one.call.by) ?? []), one]);
  }
  return [...groups.values()];
}

/** The ways to make `missing` of whole groups' beginnings. */
function sums(missing: bigint, groups: readonly Operation[][]): Operation[][] {
  if (missing < 0n) return [];
  const [group, ...others] = groups;
  if (!group) return missing === 0n ? [[]] : [];
  const ways: Operation[][] = [];
  for (let taken = 0; taken <= group.length; taken += 1) {
    const rest = missing - group.slice(0, taken).reduce((sum, one) => sum + amountOf(one), 0n);
    for (const way of sums(rest, others)) ways.push([...group.slice(0, taken), ...way]);
  }
  return ways;
}

function amountOf({ call }: Operation): bigint {
  return call.call === 'add' ? BigInt(call.by) : 0n;
}
