import type { ICompare, IRequestOp, ITxnRequest } from 'etcd3';
import { UNKNOWN } from './wire-reader.js';
import { WireWriter } from './wire-writer.js';

/** What an operation, or a comparison, has beside its bytes, at most: tags, lengths, numbers. */
const BESIDE_BYTES = 96;

const RESULTS = ['Equal', 'Greater', 'Less', 'NotEqual'];
const TARGETS = ['Version', 'Create', 'Mod', 'Value', 'Lease'];
const TARGET_FIELDS = new Set(['version', 'create_revision', 'mod_revision', 'value', 'lease']);

/**
 * Writes a transaction as etcd3's own encoder does, in a small part of the time: that one makes
 * messages of these objects first, checks each of them, and measures each before it is written.
 *
 * @param otherwise writes what holds anything that this one does not know
 */
export function encodeTxnRequest(
  request: ITxnRequest,
  otherwise: (request: ITxnRequest) => Buffer,
): Buffer {
  try {
    const writer = new WireWriter(roomFor(request));
    writeTxn(writer, request);
    return writer.written;
  } catch (error) {
    if (error === UNKNOWN) return otherwise(request);
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** A field that is set. @throws UNKNOWN for null */
function isSet(value: unknown): boolean {
  if (value === null) throw UNKNOWN;
  return value !== undefined;
}

function writeTxn(writer: WireWriter, request: ITxnRequest): void {
  for (const name in request) {
    if (!isSet((request as Fields)[name])) continue;
    if (name !== 'compare' && name !== 'success' && name !== 'failure') throw UNKNOWN;
  }
  // From the back, as the writer goes.
  writeEach(writer, 3, request.failure, writeOperation);
  writeEach(writer, 2, request.success, writeOperation);
  writeEach(writer, 1, request.compare, writeCompare);
}

function writeEach<T>(
  writer: WireWriter,
  field: number,
  parts: readonly T[] | undefined,
  write: (writer: WireWriter, part: T) => void,
): void {
  if (!parts) return;
  for (let index = parts.length - 1; index >= 0; index -= 1) {
    writer.message(field, parts[index]!, write);
  }
}

function writeOperation(writer: WireWriter, operation: IRequestOp): void {
  // Only one of them may be there; the general encoder says what is sent if more are.
  let known = 0;
  for (const name in operation) {
    const value = (operation as Fields)[name];
    if (!isSet(value)) continue;
    known += 1;
    if (name === 'request_range') writer.message(1, value as object, writeRange);
    else if (name === 'request_put') writer.message(2, value as object, writePut);
    else if (name === 'request_delete_range') writer.message(3, value as object, writeDeletion);
    else if (name === 'request_txn') writer.message(4, value as ITxnRequest, writeTxn);
    else throw UNKNOWN;
  }
  if (known !== 1) throw UNKNOWN;
}

function writeRange(writer: WireWriter, range: object): void {
  for (const name in range) {
    const value = (range as Fields)[name];
    if (!isSet(value)) continue;
    if (name === 'key') writer.bytes(1, value);
    else if (name === 'range_end') writer.bytes(2, value);
    else if (name === 'limit') writer.integer(3, value);
    else if (name === 'revision') writer.integer(4, value);
    else if (name === 'serializable') writer.boolean(7, value);
    else if (name === 'keys_only') writer.boolean(8, value);
    else if (name === 'count_only') writer.boolean(9, value);
    else throw UNKNOWN;
  }
}

function writePut(writer: WireWriter, put: object): void {
  for (const name in put) {
    const value = (put as Fields)[name];
    if (!isSet(value)) continue;
    if (name === 'key') writer.bytes(1, value);
    else if (name === 'value') writer.bytes(2, value);
    else if (name === 'lease') writer.integer(3, value);
    else if (name === 'prev_kv') writer.boolean(4, value);
    else throw UNKNOWN;
  }
}

function writeDeletion(writer: WireWriter, deletion: object): void {
  for (const name in deletion) {
    const value = (deletion as Fields)[name];
    if (!isSet(value)) continue;
    if (name === 'key') writer.bytes(1, value);
    else if (name === 'range_end') writer.bytes(2, value);
    else if (name === 'prev_kv') writer.boolean(3, value);
    else throw UNKNOWN;
  }
}

function writeCompare(writer: WireWriter, compare: ICompare): void {
  let targets = 0;
  for (const name in compare) {
    const value = (compare as Fields)[name];
    if (!isSet(value)) continue;
    if (TARGET_FIELDS.has(name)) targets += 1;
    if (name === 'result') writer.integer(1, RESULTS.indexOf(value as string));
    else if (name === 'target') writer.integer(2, TARGETS.indexOf(value as string));
    else if (name === 'key') writer.bytes(3, value);
    else if (name === 'version') writer.integer(4, value);
    else if (name === 'create_revision') writer.integer(5, value);
    else if (name === 'mod_revision') writer.integer(6, value);
    else if (name === 'value') writer.bytes(7, value);
    else if (name === 'lease') writer.integer(8, value);
    else throw UNKNOWN;
  }
  if (targets > 1) throw UNKNOWN;
}

/** Enough bytes for it. @throws UNKNOWN for what cannot be measured */
function roomFor({ compare = [], success = [], failure = [] }: ITxnRequest): number {
  if (![compare, success, failure].every(Array.isArray)) throw UNKNOWN;
  let room = 0;
  for (const { key, value } of compare) room += BESIDE_BYTES + lengthOf(key) + lengthOf(value);
  for (const operation of success) room += roomForOperation(operation);
  for (const operation of failure) room += roomForOperation(operation);
  return room;
}

function roomForOperation(operation: IRequestOp): number {
  const { request_txn: txn, request_range: range, request_put: put } = operation;
  if (txn) return BESIDE_BYTES + roomFor(txn);
  const {
    key,
    value,
    range_end: end,
  } = (put ?? range ?? operation.request_delete_range ?? {}) as {
    readonly key?: unknown;
    readonly value?: unknown;
    readonly range_end?: unknown;
  };
  return BESIDE_BYTES + lengthOf(key) + lengthOf(value) + lengthOf(end);
}

function lengthOf(bytes: unknown): number {
  if (bytes === undefined) return 0;
  if (bytes instanceof Uint8Array) return bytes.length;
  throw UNKNOWN;
}
