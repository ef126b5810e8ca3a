const LARGEST_SIGNED = '9223372036854775807';
/** Varints of up to 49 bits are read as numbers, which are exact and quick. */
const LARGE = 2 ** 49;
const EXACT_BITS = 49n;
/** Larger ones hardly ever are the same. A length of less than 128 takes one byte. */
const LONGEST_COMPARED = 64;

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

  /** Where it is at. */
  get position(): number {
    return this.at;
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

  /**
   * Goes over a short message that is the same, byte by byte, as that at `start`. False for any other,
   * and it is not gone over.
   */
  skipsSame(start: number): boolean {
    const length = this.from[start]!;
    if (length > LONGEST_COMPARED) return false;
    for (let offset = length; offset >= 0; offset -= 1) {
      if (this.from[start + offset] !== this.from[this.at + offset]) return false;
    }
    this.at += length + 1;
    return true;
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
    const low = this.groups();
    if (low < LARGE) return String(low);
    // What is left of 64 bits.
    const high = this.groups();
    if (high >= 2 ** 15) throw UNKNOWN;
    return ((BigInt(high) << EXACT_BITS) | BigInt(low - LARGE)).toString();
  }

  /** A varint as a number. None of this kind is larger. */
  private small(): number {
    const value = this.groups();
    if (value >= LARGE) throw UNKNOWN;
    return value;
  }

  /**
   * Up to 49 bits of a varint, which is less than {@link LARGE}. Of one that has more of them, its first 49
   * bits plus {@link LARGE}; what is left of it comes next.
   */
  private groups(): number {
    let value = 0;
    for (let factor = 1; factor < LARGE; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return value + LARGE;
  }

  private byte(): number {
    if (this.at >= this.length) throw UNKNOWN;
    return this.from[this.at++]!;
  }
}
