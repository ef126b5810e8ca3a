import { EtcdCoordinationError } from '../client/coordination.error.js';

/** Nothing can be watched under that key, prefix or option. Nothing was sent. */
export class InvalidWatchError extends EtcdCoordinationError {
  constructor(message: string) {
    super('INVALID_WATCH', message);
  }
}

/** A watch was to begin at a revision that etcd has not come to: it would be silent until then. */
export class RevisionOfTheFutureError extends EtcdCoordinationError {
  constructor(
    name: string,
    /** The revision that was asked for. */
    readonly revision: bigint,
    /** The revision that etcd was at. */
    readonly current: bigint,
  ) {
    super(
      'REVISION_OF_THE_FUTURE',
      `A watch on ${JSON.stringify(name)} was to begin at revision ${revision}, but etcd is at revision ${current}; ` +
        `begin at ${current + 1n} at the latest. If the revision was read from this etcd, its database was restored since.`,
    );
  }
}

/** A value is not what it is read as. */
export class WatchedValueError extends EtcdCoordinationError {
  constructor(
    /** The key, relative to the namespace. */
    readonly key: string,
    /** The revision of the value. */
    readonly revision: bigint,
    why: string,
    cause?: unknown,
  ) {
    super(
      'INVALID_WATCHED_VALUE',
      `The value of ${JSON.stringify(key)} at revision ${revision} ${why}.`,
      { cause },
    );
  }
}

/** Events came faster than their consumer took them, and as many wait as were to be kept. */
export class SlowConsumerError extends EtcdCoordinationError {
  constructor(
    /** How many events were kept for the consumer. */
    readonly limit: number,
  ) {
    super(
      'SLOW_CONSUMER',
      `A consumer of events fell more than ${limit} event(s) behind; make its work shorter, raise "limit", ` +
        'or let events be coalesced to the newest of each key with overflow: "coalesce".',
    );
  }
}
