import { EtcdCoordinationError } from '../../client/coordination.error.js';

/**
 * Why a snapshot is of no use.
 *
 * - `unreadable`, `unwritable`: the system refuses, or it is no file
 * - `too-large`: over 64 MiB
 * - `corrupt`: truncated or changed; its checksum does not fit
 * - `version`: of a format that this version does not know
 * - `encrypted`: it is, and no key was given; `not-encrypted`: the other way round
 * - `wrong-key`: encrypted with another key
 * - `foreign`: of another namespace or service, or no snapshot at all; it is never written over
 * - `in-use`: another connection or process writes it too
 */
export type SnapshotFault =
  | 'unreadable'
  | 'unwritable'
  | 'too-large'
  | 'corrupt'
  | 'version'
  | 'encrypted'
  | 'not-encrypted'
  | 'wrong-key'
  | 'foreign'
  | 'in-use';

/** The snapshot cannot be used. It is passed over: reported, logged, degraded in the health. */
export class SnapshotError extends EtcdCoordinationError {
  constructor(
    readonly file: string,
    readonly reason: SnapshotFault,
    /** What is wrong and what to do, in words that follow "it". */
    detail: string,
    cause?: unknown,
    code = 'SNAPSHOT_FAILED',
  ) {
    super(
      code,
      `The configuration snapshot ${JSON.stringify(file)} is passed over: it ${detail}.`,
      cause === undefined ? undefined : { cause },
    );
  }
}

/** Two connections, or two processes, have the same snapshot file. */
export class SnapshotInUseError extends SnapshotError {
  constructor(file: string, by: string) {
    super(
      file,
      'in-use',
      `is written by ${by} too; give each connection of each process a file of its own`,
      undefined,
      'SNAPSHOT_IN_USE',
    );
  }
}
