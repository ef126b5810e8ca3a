import { at } from '../in-time.js';
import type { Operation } from './operation.js';

/** An operation and its answer, in plain words. */
export function sayOperation({ process, call, result, invokedAt, returnedAt }: Operation): string {
  const span = `(${at(invokedAt)} to ${Number.isFinite(returnedAt) ? at(returnedAt) : 'nobody knows when'})`;
  const answer = JSON.stringify(result ?? null);
  switch (call.call) {
    case 'read':
      return `${process} read ${answer} ${span}`;
    case 'write':
      return `${process} wrote ${JSON.stringify(call.value)} ${span}`;
    case 'add':
      return `${process} added ${call.by} and was answered ${answer} ${span}`;
    default:
      return `${process} replaced ${JSON.stringify(call.expected)} by ${JSON.stringify(call.value)} and was answered ${answer} ${span}`;
  }
}
