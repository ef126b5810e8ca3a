import type { Model } from './model.js';
import { isAmbiguous, isAtTheSameTime, type Operation } from './operation.js';

type Value = string | null;

/** A register of read, write and compare-and-set. Every write writes another value; it begins as null. */
export function registerModel(operations: readonly Operation[]): Model<Value> {
  const mentioned = new Set<Value>();
  const mayBeReplaced = new Set<Value>();
  for (const operation of operations) {
    const { call, result } = operation;
    if (call.call === 'read') mentioned.add(result ?? null);
    if (call.call === 'cas') mentioned.add(call.expected);
    if (call.call === 'cas' && isAmbiguous(operation)) mayBeReplaced.add(call.expected);
  }
  const refused = writersOfRefused(operations);
  return {
    initial: null,
    apply,
    bridges: (state, { call, result }, ambiguous) => {
      if (call.call === 'read') return wayTo(result ?? null, state, ambiguous);
      if (call.call !== 'cas') return [];
      if (result === 'true') return wayTo(call.expected, state, ambiguous);
      return waysFrom(state, ambiguous);
    },
    needs: ({ call, result }) => {
      if (call.call === 'read') return result ?? null;
      return call.call === 'cas' && result === 'true' ? call.expected : undefined;
    },
    isHarmless: (state, operation) =>
      operation.call.call === 'write' &&
      !mentioned.has(operation.call.value) &&
      !mayBeReplaced.has(state) &&
      // It may be wanted later, to take the place of a value that must not be there any more.
      !refused.some((writer) => isAtTheSameTime(writer, operation)),
  };
}

function apply(state: Value, operation: Operation): { readonly state: Value } | undefined {
  const { call, result } = operation;
  if (call.call === 'write') return { state: call.value };
  if (call.call === 'read') return state === (result ?? null) ? { state } : undefined;
  if (call.call !== 'cas') return undefined;
  const takes = state === call.expected;
  if (!isAmbiguous(operation) && takes !== (result === 'true')) return undefined;
  return { state: takes ? call.value : state };
}

/** Those that write what a compare-and-set expected and did not find. */
function writersOfRefused(operations: readonly Operation[]): Operation[] {
  const expected = new Set<Value | undefined>();
  for (const { call, result } of operations) {
    if (call.call === 'cas' && result === 'false') expected.add(call.expected);
  }
  return operations.filter((one) => expected.has(writes(one)));
}

/** As each value is written by one operation, there is one way at most. */
function wayTo(value: Value, from: Value, ambiguous: readonly Operation[]): Operation[][] {
  const way: Operation[] = [];
  for (let wanted = value; wanted !== from;) {
    const writer = ambiguous.find((one) => writes(one) === wanted && !way.includes(one));
    if (!writer) return [];
    way.unshift(writer);
    if (writer.call.call !== 'cas') return [way];
    wanted = writer.call.expected;
  }
  return [way];
}

/** Whatever makes it another value will do, in one step; of those that nobody tells apart the first. */
function waysFrom(state: Value, ambiguous: readonly Operation[]): Operation[][] {
  const first = new Map<Value | undefined, Operation>();
  for (const one of ambiguous) {
    const { call } = one;
    const helps = call.call === 'write' || (call.call === 'cas' && call.expected === state);
    if (helps && !first.has(writes(one))) first.set(writes(one), one);
  }
  return [...first.values()].map((one) => [one]);
}

function writes({ call }: Operation): Value | undefined {
  return call.call === 'write' || call.call === 'cas' ? call.value : undefined;
}

/** What was written and never seen. */
const UNSEEN = '(a value that nobody saw)';

/**
 * Leaves out the ambiguous writes that nothing says to have happened: their values were neither read nor compared
 * with success, and no compare-and-set failed afterwards that may have failed because of them. With them the search
 * would hardly come to an end; without them it says the same. Those that are left and were never seen get one value
 * for all: nobody can tell them apart.
 */
export function withoutUnread(operations: readonly Operation[]): Operation[] {
  const seen = new Set<Value>();
  let lastFailure = -Infinity;
  for (const { call, result, returnedAt } of operations) {
    if (call.call === 'read') seen.add(result ?? null);
    if (call.call !== 'cas') continue;
    if (result === 'false') lastFailure = Math.max(lastFailure, returnedAt);
    else seen.add(call.expected);
  }
  return operations.flatMap((one) => {
    const { call } = one;
    if (!isAmbiguous(one) || seen.has(writes(one) ?? null)) return [one];
    if (one.invokedAt > lastFailure || (call.call !== 'write' && call.call !== 'cas')) return [];
    return [{ ...one, call: { ...call, value: UNSEEN } }];
  });
}
