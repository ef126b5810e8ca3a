import type { IKeyValue, IRangeResponse, IResponseHeader } from 'etcd3';

const EMPTY: Buffer = Buffer.alloc(0);
const LARGEST_SIGNED = '9223372036854775807';
/** Varints of up to 49 bits are read as numbers, which are exact and quick. */
const LARGE = 2 ** 49;
const VARINT = 0;
const BYTES = 2;

/** What this reader does not know: the general one does. */
class Unknown extends Error {}
const UNKNOWN = new Unknown();

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
  try {
    return readResponse(new WireReader(bytes));
  } catch (error) {
    if (error === UNKNOWN) return otherwise(bytes);
    throw error;
  }
}

function readResponse(reader: WireReader): IRangeResponse {
  let header: IResponseHeader | null = null;
  const kvs: IKeyValue[] = [];
  let more = false;
  let count = '0';
  while (reader.isIn(reader.length)) {
    const tag = reader.tag();
    if (tag === tagOf(1, BYTES)) header = readHeader(reader);
    else if (tag === tagOf(2, BYTES)) kvs.push(readKeyValue(reader));
    else if (tag === tagOf(3, VARINT)) more = reader.integer() !== '0';
    else if (tag === tagOf(4, VARINT)) count = reader.integer();
    else throw UNKNOWN;
  }
  if (!header) throw UNKNOWN;
  return { header, kvs, more, count };
}

function readHeader(reader: WireReader): IResponseHeader {
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

function readKeyValue(reader: WireReader): IKeyValue {
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

function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** Reads protobuf's wire format from the front. */
class WireReader {
  readonly length: number;
  private at = 0;

  constructor(private readonly from: Buffer) {
    this.length = from.length;
  }

  /** Whether there is more before `end`, which has to be met. */
  isIn(end: number): boolean {
    if (this.at > end) throw UNKNOWN;
    return this.at < end;
  }

  /** A field and its kind. All that are known fit into a byte. */
  tag(): number {
    return this.from[this.at++]!;
  }

  /** Where what begins here ends. */
  end(): number {
    const length = this.small();
    const end = this.at + length;
    if (end > this.length) throw UNKNOWN;
    return end;
  }

  /** In place. */
  bytes(): Buffer {
    const end = this.end();
    const bytes = this.from.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  /** A varint in decimal that has a sign: a revision or a lease. None is below zero. */
  integer(): string {
    const decimal = this.unsigned();
    if (decimal.length >= LARGEST_SIGNED.length && BigInt(decimal) > BigInt(LARGEST_SIGNED)) {
      throw UNKNOWN;
    }
    return decimal;
  }

  /** A varint in decimal. */
  unsigned(): string {
    const start = this.at;
    const small = this.small();
    if (small >= 0) return String(small);
    this.at = start;
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value.toString();
  }

  /** A varint as a number, or -1 if it is too large for one to be exact. */
  private small(): number {
    let value = 0;
    for (let factor = 1; factor < LARGE; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return -1;
  }

  private byte(): number {
    if (this.at >= this.length) throw UNKNOWN;
    return this.from[this.at++]!;
  }
}
