import { EtcdCoordinationError } from '../../client/coordination.error.js';
import type { ReleaseRecord } from './release-record.js';

/** A release cannot go like that. Nothing was written. */
export class InvalidReleasePlanError extends EtcdCoordinationError {
  constructor(
    /** The configuration's name. */
    readonly key: string,
    /** In words that follow "the plan of the release …". */
    fault: string,
  ) {
    super('INVALID_RELEASE_PLAN', `The plan of a release of the configuration "${key}" ${fault}.`);
  }
}

/** There is a release of the configuration already. Nothing was written. */
export class ReleaseUnderWayError extends EtcdCoordinationError {
  /** Which one. */
  readonly releaseId: string;
  readonly author: string;

  constructor(
    readonly key: string,
    { id, author, state, history }: ReleaseRecord,
  ) {
    const since = history[0]?.at ?? 'an unknown time';
    super(
      'RELEASE_UNDER_WAY',
      `The configuration "${key}" has a release under way already, ${id} by ${author}, ${state} since ${since}; wait for its end, promote it or abort it first.`,
    );
    this.releaseId = id;
    this.author = author;
  }
}

/** There is no release of the configuration that this could be done to. Nothing was written. */
export class ReleaseNotUnderWayError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    what: string,
    last: ReleaseRecord | null,
  ) {
    const state =
      last === null ? 'there never was one' : `its last one, ${last.id}, is ${last.state}`;
    super(
      'RELEASE_NOT_UNDER_WAY',
      `The configuration "${key}" has no release under way to ${what}: ${state}; start one first.`,
    );
  }
}

/** What stands as a release's document is not what it was started with. Nothing was written. */
export class ReleaseDocumentError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    readonly releaseId: string,
    /** In words that follow "the document …". */
    fault: string,
  ) {
    super(
      'RELEASE_DOCUMENT_CHANGED',
      `The document of the release ${releaseId} of the configuration "${key}" ${fault} by others, so there is nothing of its author's to promote; abort it and start it anew.`,
    );
  }
}

/** Others changed the release again and again while it was to be changed. */
export class ReleaseBusyError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    what: string,
  ) {
    super(
      'RELEASE_BUSY',
      `The release of the configuration "${key}" changed each time that it was to be ${what}; look at it and try again.`,
    );
  }
}

/** A health check was given a name or a function that it cannot have. */
export class InvalidHealthCheckError extends EtcdCoordinationError {
  constructor(fault: string) {
    super(
      'INVALID_HEALTH_CHECK',
      `A health check ${fault}; give it a name of its own and a function that says true, or why not.`,
    );
  }
}
