import { FEATURES, LONE_SURROGATE } from '../client/keys.js';
import { prefixRange, type KeyRange } from '../watch/key-range.js';
import { InvalidTransactionError, ReservedKeyError } from './transaction.errors.js';

/** Hardly ever there, so all of it is looked for at once. */
const UNFIT = new RegExp(`^(?:${FEATURES.join('|')})/|${LONE_SURROGATE.source}`, 'u');

/** Makes whole keys of relative ones, refusing what can be none. */
export class TransactionKeys {
  private readonly start: Buffer;

  constructor(readonly namespace: string) {
    this.start = Buffer.from(`${namespace}/`);
  }

  /** @throws InvalidTransactionError for what cannot be a key */
  toRead(key: unknown): Buffer {
    return this.whole(checked(key, 'key'));
  }

  /**
   * As {@link toRead}, and the key is none of the library's own.
   *
   * @throws ReservedKeyError
   */
  toWrite(key: unknown): Buffer {
    if (typeof key === 'string' && key !== '' && !UNFIT.test(key)) return this.whole(key);
    const name = checked(key, 'key');
    const feature = FEATURES.find((own) => name.startsWith(`${own}/`));
    if (feature) throw new ReservedKeyError(name, feature);
    return this.whole(name);
  }

  /** @throws InvalidTransactionError for what cannot begin a key */
  rangeOf(prefix: unknown): Required<KeyRange> {
    return prefixRange(`${this.namespace}/${checked(prefix, 'prefix')}`) as Required<KeyRange>;
  }

  /** A whole key of this namespace as users know it. */
  relative(key: Buffer): string {
    return key.toString('utf8', this.start.length);
  }

  private whole(name: string): Buffer {
    return Buffer.from(`${this.namespace}/${name}`);
  }
}

/** Tells keys apart whatever their bytes are. */
export function keyId(key: Buffer): string {
  return key.toString('latin1');
}

function checked(key: unknown, kind: 'key' | 'prefix'): string {
  if (typeof key !== 'string') {
    throw new InvalidTransactionError(
      `A ${kind} in a transaction must be a string, not ${key === null ? 'null' : `of type ${typeof key}`}.`,
    );
  }
  if (key === '') {
    throw new InvalidTransactionError(
      `A ${kind} in a transaction is empty; ${kind === 'key' ? 'name a key' : 'name at least the first part of the keys'}.`,
    );
  }
  if (LONE_SURROGATE.test(key)) {
    throw new InvalidTransactionError(
      `The ${kind} ${JSON.stringify(key)} holds half of a surrogate pair, which UTF-8 and so etcd cannot say.`,
    );
  }
  return key;
}
