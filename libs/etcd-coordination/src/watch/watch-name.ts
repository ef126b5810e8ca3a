import { LONE_SURROGATE } from '../client/keys.js';
import { prefixRange, singleKey, type KeyRange } from './key-range.js';
import { InvalidWatchError } from './watch.errors.js';

/** What is watched: one key, or all that begin with a prefix. */
export class WatchName {
  private constructor(
    readonly kind: 'key' | 'prefix',
    /** Relative to the namespace, for people. */
    readonly relative: string,
    /** As etcd has it. */
    readonly whole: string,
  ) {}

  /** @throws InvalidWatchError for a name that no key, or no prefix of keys, can have */
  static of(kind: 'key' | 'prefix', namespace: string, name: unknown): WatchName {
    if (typeof name !== 'string') {
      throw new InvalidWatchError(`A ${kind} to watch must be a string, not ${typeof name}.`);
    }
    if (name === '') {
      const cure = kind === 'key' ? 'name a key' : 'name at least the first part of the keys';
      throw new InvalidWatchError(`The ${kind} to watch is empty; ${cure}.`);
    }
    if (LONE_SURROGATE.test(name)) {
      throw new InvalidWatchError(
        `The ${kind} to watch, ${JSON.stringify(name)}, holds half of a surrogate pair, which UTF-8 and so etcd cannot say.`,
      );
    }
    return new WatchName(kind, name, `${namespace}/${name}`);
  }

  get range(): KeyRange {
    return this.kind === 'key' ? singleKey(this.whole) : prefixRange(this.whole);
  }

  get label(): string {
    return JSON.stringify(this.relative);
  }

  has(wholeKey: string): boolean {
    return this.kind === 'key' ? wholeKey === this.whole : wholeKey.startsWith(this.whole);
  }

  isSame(other: WatchName): boolean {
    return this.kind === other.kind && this.whole === other.whole;
  }
}
