import { BYTES, UNKNOWN, VARINT, tagOf } from './wire-reader.js';

/** So many digits are a number that is exact. */
const EXACT_DIGITS = 15;
const DIGITS = /^[0-9]{1,19}$/;
const LARGEST_SIGNED = 2n ** 63n - 1n;

/**
 * Writes protobuf's wire format from the back: so the length of a message is known when it comes to be
 * written, and nothing is measured twice. Of what is written, the last is the first then.
 */
export class WireWriter {
  private readonly into: Buffer;
  private at: number;

  /** @param room bytes that are enough in any case */
  constructor(room: number) {
    this.into = Buffer.allocUnsafe(room);
    this.at = room;
  }

  /** What was written. */
  get written(): Buffer {
    return this.into.subarray(this.at);
  }

  /** @throws UNKNOWN for what is no bytes */
  bytes(field: number, value: unknown): void {
    if (!(value instanceof Uint8Array)) throw UNKNOWN;
    this.at -= value.length;
    this.into.set(value, this.at);
    this.head(field, value.length);
  }

  /** A whole number that is not below zero, in decimal or as such. @throws UNKNOWN for any other */
  integer(field: number, value: unknown): void {
    if (typeof value === 'string' && value.length > EXACT_DIGITS) {
      const large = DIGITS.test(value) ? BigInt(value) : -1n;
      if (large < 0n || large > LARGEST_SIGNED) throw UNKNOWN;
      this.large(large);
    } else {
      const number = typeof value === 'string' ? Number(value) : value;
      if (!Number.isSafeInteger(number) || (number as number) < 0 || value === '') throw UNKNOWN;
      this.small(number as number);
    }
    this.tag(field, VARINT);
  }

  /** @throws UNKNOWN for what is no boolean */
  boolean(field: number, value: unknown): void {
    if (typeof value !== 'boolean') throw UNKNOWN;
    this.integer(field, value ? 1 : 0);
  }

  /** A message of its own; `write` writes what is in it. */
  message<T>(field: number, value: T, write: (writer: this, value: T) => void): void {
    const end = this.at;
    write(this, value);
    this.head(field, end - this.at);
  }

  private head(field: number, length: number): void {
    this.small(length);
    this.tag(field, BYTES);
  }

  /** All that are known fit into a byte. */
  private tag(field: number, wireType: number): void {
    this.into[(this.at -= 1)] = tagOf(field, wireType);
  }

  private small(value: number): void {
    if (value < 128) {
      this.into[(this.at -= 1)] = value;
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1;
    this.at -= length;
    let [at, rest] = [this.at, value];
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.into[at++] = (rest % 128) | 128;
    this.into[at] = rest;
  }

  /** Seven groups of seven bits, which are exact, and what is left of 63. */
  private large(value: bigint): void {
    this.small(Number(value >> 49n));
    this.at -= 7;
    let rest = Number(BigInt.asUintN(49, value));
    for (let group = 0; group < 7; group += 1) {
      this.into[this.at + group] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
  }
}
