import type { Evidence } from './evidence.js';
import { isCounter } from './linearizable/model.js';
import { isAmbiguous, operationsOf } from './linearizable/operation.js';
import type { RegisterNote } from './register-notes.js';

/**
 * What a counter came to is all that is certain to have been added, and no more than what may have been added
 * besides.
 *
 * @param keyOf the key of a counter in the final list
 */
export function counterFaults(
  notes: readonly RegisterNote[],
  { finalList }: Pick<Evidence, 'finalList'>,
  keyOf = (counter: string) => counter,
): string[] {
  const values = new Map(finalList.map(({ key, value }) => [key, value]));
  return [...operationsOf(notes)].flatMap(([counter, operations]) => {
    if (!isCounter(operations)) return [];
    let [certain, possible] = [0n, 0n];
    for (const operation of operations) {
      if (operation.call.call !== 'add') continue;
      if (isAmbiguous(operation)) possible += BigInt(operation.call.by);
      else certain += BigInt(operation.call.by);
    }
    const sum = BigInt(values.get(keyOf(counter)) ?? 0);
    const most = certain + possible;
    if (sum < certain) {
      return [`${counter}: came to ${sum}, and ${certain} was answered for: increments were lost.`];
    }
    if (sum <= most) return [];
    return [`${counter}: came to ${sum}, and no more than ${most} was ever added.`];
  });
}
