import { EtcdCoordinationError } from '../client/coordination.error.js';

/** The testing kit was asked for something that makes no sense, and has changed nothing. */
export class TestingUsageError extends EtcdCoordinationError {
  constructor(message: string) {
    super('TESTING_USAGE', message);
  }
}

/** What a test waited for has not come to be in time. Its message tells what was seen instead. */
export class TestWaitError extends EtcdCoordinationError {
  constructor(
    /** What was waited for. */
    readonly awaited: string,
    /** For how long, in milliseconds of the test's time. */
    readonly withinMs: number,
    /** What stood when the time was over. */
    readonly seen: string,
  ) {
    super(
      'TEST_WAIT',
      `Waited ${withinMs} ms of the test's time for ${awaited}, and it has not come to be. Seen instead: ${seen}`,
    );
  }
}

/** Whatever moves in this process does not come to rest, so that the test's time cannot go on. */
export class TestRestlessError extends EtcdCoordinationError {
  constructor(readonly realMs: number) {
    super(
      'TEST_RESTLESS',
      `Connections of this process have not come to rest within ${realMs} ms of real time, so the test's time cannot go on. ` +
        'Something sends without end, or an answer is not read: end it, or test in real time, with { time: "real" }.',
    );
  }
}
