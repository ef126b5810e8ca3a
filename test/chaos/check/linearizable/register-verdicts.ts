import type { RegisterNote } from '../register-notes.js';
import { counterContradiction, registerContradiction } from './contradictions.js';
import { counterModel } from './counter-model.js';
import { isCounter, type Model } from './model.js';
import { isAmbiguous, isAtTheSameTime, operationsOf, type Operation } from './operation.js';
import { sayOperation } from './say-operation.js';
import { OrderSearch, type Verdict } from './order-search.js';
import { registerModel, withoutUnread } from './register-model.js';

/** What can be said of the registers of a run. */
export interface RegisterVerdicts {
  /** Registers whose answers no order explains. */
  readonly faults: readonly string[];
  /** Registers of which the search could not say it within its bound; that makes a run inconclusive. */
  readonly undecided: readonly string[];
}

type ModelOf<S extends string | null | bigint> = (operations: readonly Operation[]) => Model<S>;

/**
 * Each register and each counter by itself must be linearizable: there is one order of its operations, each at some
 * moment between its call and its return, that explains every answer.
 *
 * @param steps bounds the work for each register
 */
export function judgeRegisters(notes: readonly RegisterNote[], steps?: number): RegisterVerdicts {
  const faults: string[] = [];
  const undecided: string[] = [];
  for (const [register, operations] of operationsOf(notes)) {
    const fault = isCounter(operations)
      ? (counterContradiction(operations) ?? judge(operations, () => counterModel, steps))
      : (registerContradiction(operations) ??
        judge(withoutUnread(operations), registerModel, steps));
    if (fault === 'gave-up') {
      undecided.push(
        `Whether ${register} is linearizable took more work than allowed: ${operations.length} operations. Make fewer, or on more registers.`,
      );
    } else if (fault) {
      faults.push(`${register}: ${fault}.`);
    }
  }
  return { faults, undecided };
}

function judge<S extends string | null | bigint>(
  operations: readonly Operation[],
  modelOf: ModelOf<S>,
  steps?: number,
): string | null {
  const verdictOf = (some: readonly Operation[]) =>
    new OrderSearch(some, modelOf(some), steps).run();
  const verdict = verdictOf(operations);
  if (verdict === 'gave-up') return 'gave-up';
  return verdict === 'in-order' ? null : explain(operations, verdictOf);
}

/** Names the shortest beginning of the history that no order explains: it ends with the return of the culprit. */
function explain(
  operations: readonly Operation[],
  verdictOf: (operations: readonly Operation[]) => Verdict,
): string {
  const returned = operations.filter((one) => !isAmbiguous(one));
  returned.sort((a, b) => a.returnedAt - b.returnedAt);
  let [low, high] = [0, returned.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const beginning = upTo(operations, returned[middle]!.returnedAt);
    if (verdictOf(beginning) === 'no-order') high = middle;
    else low = middle + 1;
  }
  const culprit = returned[low]!;
  const beside = operations
    .filter((one) => one !== culprit && isAtTheSameTime(one, culprit))
    .slice(0, 4);
  const others =
    beside.length > 0 ? `. At the same time: ${beside.map(sayOperation).join('; ')}` : '';
  return `${sayOperation(culprit)}, and no order of the operations until then explains that${others}`;
}

/** The history as it was at a moment: what had not returned is ambiguous, and reads among that say nothing. */
function upTo(operations: readonly Operation[], t: number): Operation[] {
  return operations
    .filter((one) => one.invokedAt <= t && (one.returnedAt <= t || one.call.call !== 'read'))
    .map((one) =>
      one.returnedAt <= t ? one : { ...one, returnedAt: Infinity, result: undefined },
    );
}
