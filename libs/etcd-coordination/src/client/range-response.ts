import type { IKeyValue, IRangeResponse, IResponseHeader } from 'etcd3';
import { BYTES, readOr, tagOf, UNKNOWN, VARINT, type WireReader } from './wire-reader.js';

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Reads the answer to a range request as etcd3's own decoder does, in a fourth of the time: that one
 * makes messages of numbers in two halves first, and then makes these objects of them. A list of
 * 10,000 keys spends most of its time there.
 *
 * @param otherwise reads what holds anything that this one does not know
 */
export function decodeRangeResponse(
  bytes: Buffer,
  otherwise: (bytes: Buffer) => IRangeResponse,
): IRangeResponse {
  return readOr(bytes, readResponse, otherwise);
}

function readResponse(reader: WireReader): IRangeResponse {
  const response = readRange(reader, reader.length);
  if (!response.header) throw UNKNOWN;
  return response as IRangeResponse;
}

/** Up to `end`. Inside of a transaction's answer it has no header. */
export function readRange(
  reader: WireReader,
  end: number,
): Omit<IRangeResponse, 'header'> & { readonly header: IResponseHeader | null } {
  let header: IResponseHeader | null = null;
  const kvs: IKeyValue[] = [];
  let more = false;
  let count = '0';
  while (reader.isIn(end)) {
    const tag = reader.tag();
    if (tag === tagOf(1, BYTES)) header = readHeader(reader);
    else if (tag === tagOf(2, BYTES)) kvs.push(readKeyValue(reader));
    else if (tag === tagOf(3, VARINT)) more = reader.integer() !== '0';
    else if (tag === tagOf(4, VARINT)) count = reader.integer();
    else throw UNKNOWN;
  }
  return { header, kvs, more, count };
}

export function readHeader(reader: WireReader): IResponseHeader {
  const header = { cluster_id: '0', member_id: '0', revision: '0', raft_term: '0' };
  const end = reader.end();
  while (reader.isIn(end)) {
    const tag = reader.tag();
    if (tag === tagOf(1, VARINT)) header.cluster_id = reader.unsigned();
    else if (tag === tagOf(2, VARINT)) header.member_id = reader.unsigned();
    else if (tag === tagOf(3, VARINT)) header.revision = reader.integer();
    else if (tag === tagOf(4, VARINT)) header.raft_term = reader.unsigned();
    else throw UNKNOWN;
  }
  return header;
}

export function readKeyValue(reader: WireReader): IKeyValue {
  let [key, value] = [EMPTY, EMPTY];
  let [createRevision, modRevision, version, lease] = ['0', '0', '0', '0'];
  const end = reader.end();
  while (reader.isIn(end)) {
    const tag = reader.tag();
    if (tag === tagOf(1, BYTES)) key = reader.bytes();
    else if (tag === tagOf(2, VARINT)) createRevision = reader.integer();
    else if (tag === tagOf(3, VARINT)) modRevision = reader.integer();
    else if (tag === tagOf(4, VARINT)) version = reader.integer();
    else if (tag === tagOf(5, BYTES)) value = reader.bytes();
    else if (tag === tagOf(6, VARINT)) lease = reader.integer();
    else throw UNKNOWN;
  }
  return {
    key,
    create_revision: createRevision,
    mod_revision: modRevision,
    version,
    value,
    lease,
  };
}
