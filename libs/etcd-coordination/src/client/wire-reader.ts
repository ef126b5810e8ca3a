const LARGEST_SIGNED = '9223372036854775807';
/** Varints of up to 49 bits are read as numbers, which are exact and quick. */
const LARGE = 2 ** 49;

export const VARINT = 0;
export const BYTES = 2;

/** What a reader of ours does not know: the general one does. */
class Unknown extends Error {}
export const UNKNOWN = new Unknown();

/**
 * Reads with a reader of ours, and with the general one what that does not know.
 *
 * @param read throws {@link UNKNOWN}
 */
export function readOr<T>(
  bytes: Buffer,
  read: (reader: WireReader) => T,
  otherwise: (bytes: Buffer) => T,
): T {
  try {
    return read(new WireReader(bytes));
  } catch (error) {
    if (error === UNKNOWN) return otherwise(bytes);
    throw error;
  }
}

/** A field's tag. */
export function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** Reads protobuf's wire format from the front. */
export class WireReader {
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
