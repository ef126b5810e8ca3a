import { at } from '../in-time.js';
import { isAmbiguous, type Operation } from './operation.js';
import { sayOperation } from './say-operation.js';

type Value = string | null;

/** From the first return of an operation that was of a value to the last call of one, the value was there. */
interface Span {
  readonly value: Value;
  from: number;
  to: number;
  first: Operation;
  last: Operation;
}

/**
 * What can be told of a register without looking for an order, and in words that need none: each value is written
 * once, so between two operations of one value no other can have been there. Most stale reads are found here; what
 * is not found may still be out of order.
 */
export function registerContradiction(operations: readonly Operation[]): string | null {
  const certain = operations.filter((one) => !isAmbiguous(one));
  const spans = [...spansOf(certain)].filter(({ from, to }) => from < to);
  spans.sort((a, b) => a.from - b.from);
  let widest: Span | null = null;
  for (const span of spans) {
    if (widest && span.from < widest.to) return clash(widest, span);
    if (!widest || span.to > widest.to) widest = span;
  }
  for (const one of certain) {
    const span = spans.find(({ from, to }) => from < one.invokedAt && one.returnedAt < to);
    if (span && isOfAnother(one, span.value)) {
      return `${sayOperation(one)}, all the while that ${said(span)}`;
    }
  }
  return null;
}

/** The same of a counter: a sum is never less than one that was answered before. */
export function counterContradiction(operations: readonly Operation[]): string | null {
  const certain = operations.filter((one) => !isAmbiguous(one));
  const byReturn = [...certain].sort((a, b) => a.returnedAt - b.returnedAt);
  const byCall = [...certain].sort((a, b) => a.invokedAt - b.invokedAt);
  let most: Operation | null = null;
  let next = 0;
  for (const one of byCall) {
    while (next < byReturn.length && byReturn[next]!.returnedAt < one.invokedAt) {
      const before = byReturn[next]!;
      if (!most || sumOf(before) > sumOf(most)) most = before;
      next += 1;
    }
    const least = most ? sumOf(most) + (one.call.call === 'add' ? BigInt(one.call.by) : 0n) : 0n;
    if (most && sumOf(one) < least) return `${sayOperation(one)}, after ${sayOperation(most)}`;
  }
  return null;
}

function spansOf(certain: readonly Operation[]): Iterable<Span> {
  const spans = new Map<Value, Span>();
  for (const one of certain) {
    for (const value of valuesOf(one)) {
      const span = spans.get(value);
      if (!span) {
        spans.set(value, { value, from: one.returnedAt, to: one.invokedAt, first: one, last: one });
        continue;
      }
      if (one.returnedAt < span.from) [span.from, span.first] = [one.returnedAt, one];
      if (one.invokedAt > span.to) [span.to, span.last] = [one.invokedAt, one];
    }
  }
  return spans.values();
}

/** The values that were there at some moment of the operation. */
function valuesOf({ call, result }: Operation): readonly Value[] {
  if (call.call === 'write') return [call.value];
  if (call.call === 'read') return [result ?? null];
  return call.call === 'cas' && result === 'true' ? [call.expected, call.value] : [];
}

function isOfAnother(one: Operation, value: Value): boolean {
  const { call, result } = one;
  if (call.call === 'cas' && result !== 'true') return call.expected === value;
  return valuesOf(one).some((own) => own !== value);
}

function clash(one: Span, other: Span): string {
  return `${said(one)}; and all the while from ${at(other.from)} to ${at(Math.min(one.to, other.to))} ${said(other)}`;
}

function said({ value, first, last }: Span): string {
  return `the value was ${JSON.stringify(value)} (${sayOperation(first)}; ${sayOperation(last)})`;
}

function sumOf({ result }: Operation): bigint {
  return BigInt(result ?? 0);
}
