import { isDeepStrictEqual } from 'node:util';
import { isPlainObject } from './plain-object.js';

/** One place in which a value differs from the one before it. */
export interface ConfigDifference {
  /** The keys and indexes that lead to it; empty for the value itself. */
  readonly path: readonly (string | number)[];
  readonly type: 'added' | 'removed' | 'changed';
  /** Absent if it was added. */
  readonly before?: unknown;
  /** Absent if it was removed. */
  readonly after?: unknown;
}
