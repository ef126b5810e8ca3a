import type { IKeyValue, IResponseHeader, IResponseOp, ITxnResponse } from 'etcd3';
import { readHeader, readKeyValue, readRange } from './range-response.js';
import { BYTES, readOr, tagOf, UNKNOWN, VARINT, type WireReader } from './wire-reader.js';

/**
 * Reads the answer to a transaction as etcd3's own decoder does, in a small part of the time; see
 * {@link decodeRangeResponse}.
 *
 * @param otherwise reads what holds anything that this one does not know
 */
export function decodeTxnResponse(
  bytes: Buffer,
  otherwise: (bytes: Buffer) => ITxnResponse,
): ITxnResponse {
  return readOr(bytes, readResponse, otherwise);
}

function readResponse(reader: WireReader): ITxnResponse {
  const response = readTxn(reader, reader.length);
  if (!response.header) throw UNKNOWN;
  return response as ITxnResponse;
}

type InnerResponse = Omit<ITxnResponse, 'header'> & { readonly header: IResponseHeader | null };

/** Up to `end`. One inside of another has no header in etcd 3.4. */
function readTxn(reader: WireReader, end: number): InnerResponse {
  let header: IResponseHeader | null = null;
  let succeeded = false;
  const responses: IResponseOp[] = [];
  let lastAt = 0;
  while (reader.isIn(end)) {
    const tag = reader.tag();
    if (tag === tagOf(1, BYTES)) header = readHeader(reader);
    else if (tag === tagOf(2, VARINT)) succeeded = reader.integer() !== '0';
    else if (tag === tagOf(3, BYTES)) {
      // The puts of a transaction are all answered alike: one object says it for all of them.
      const last = responses.at(-1);
      if (last?.response_put && !last.response_put.prev_kv && reader.skipsSame(lastAt)) {
        responses.push(last);
        continue;
      }
      lastAt = reader.position;
      responses.push(readOperation(reader));
    } else throw UNKNOWN;
  }
  return { header, succeeded, responses };
}

function readOperation(reader: WireReader): IResponseOp {
  const end = reader.end();
  // One that says nothing, or of more than one kind, is none of ours.
  if (!reader.isIn(end)) throw UNKNOWN;
  const tag = reader.tag();
  const inner = reader.end();
  const operation = readAnswer(reader, tag, inner);
  if (reader.isIn(end)) throw UNKNOWN;
  return operation as unknown as IResponseOp;
}

function readAnswer(reader: WireReader, tag: number, end: number): object {
  if (tag === tagOf(1, BYTES)) {
    return { response: 'response_range', response_range: readRange(reader, end) };
  }
  if (tag === tagOf(2, BYTES)) {
    return { response: 'response_put', response_put: readPut(reader, end) };
  }
  if (tag === tagOf(3, BYTES)) {
    return { response: 'response_delete_range', response_delete_range: readDeletion(reader, end) };
  }
  if (tag === tagOf(4, BYTES)) {
    return { response: 'response_txn', response_txn: readTxn(reader, end) };
  }
  throw UNKNOWN;
}

function readPut(reader: WireReader, end: number): object {
  let header: IResponseHeader | null = null;
  let previous: IKeyValue | null = null;
  while (reader.isIn(end)) {
    const tag = reader.tag();
    if (tag === tagOf(1, BYTES)) header = readHeader(reader);
    else if (tag === tagOf(2, BYTES)) previous = readKeyValue(reader);
    else throw UNKNOWN;
  }
  return { header, prev_kv: previous };
}

function readDeletion(reader: WireReader, end: number): object {
  let header: IResponseHeader | null = null;
  let deleted = '0';
  const previous: IKeyValue[] = [];
  while (reader.isIn(end)) {
    const tag = reader.tag();
    if (tag === tagOf(1, BYTES)) header = readHeader(reader);
    else if (tag === tagOf(2, VARINT)) deleted = reader.integer();
    else if (tag === tagOf(3, BYTES)) previous.push(readKeyValue(reader));
    else throw UNKNOWN;
  }
  return { header, deleted, prev_kvs: previous };
}
