import { TestRestlessError } from '../testing.errors.js';
import { LoopbackConnections } from './loopback-connections.js';

/**
 * For so many turns of the event loop nothing may have moved. What came in is worked off within a few:
 * HTTP/2 writes in the turn after, watches are pumped and requests merged in another one.
 */
const QUIET_TURNS = 12;

/** How long something may keep moving, in milliseconds of real time. */
const LONGEST_MS = 10_000;

/** How long requests to the system, such as for a file, are waited for; the runner of the tests has some, too. */
const REQUESTS_MS = 200;

const SYSTEM_REQUEST = /^(FSReq|GetAddrInfoReq|GetNameInfoReq|TCPConnectWrap|PipeConnectWrap)/;

/**
 * Tells when all that this process has to say to itself is said: no byte is on its way between two
 * of its sockets, no request to the system is open, and for some turns of the event loop nothing moves.
 */
export class IoRest {
  private readonly connections = new LoopbackConnections();

  open(): void {
    this.connections.open();
  }

  close(): void {
    this.connections.close();
  }

  /** @throws TestRestlessError if it does not end */
  async come(): Promise<void> {
    const since = performance.now();
    let last = -1;
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      await turn();
      const { moved, underway } = this.connections.look();
      const elapsed = performance.now() - since;
      if (underway || moved !== last) quiet = -1;
      else if (quiet === QUIET_TURNS - 1 && elapsed < REQUESTS_MS && asksTheSystem()) quiet = -1;
      last = moved;
      if (quiet < 0 && elapsed > LONGEST_MS) throw new TestRestlessError(LONGEST_MS);
    }
  }
}

function asksTheSystem(): boolean {
  return process.getActiveResourcesInfo().some((type) => SYSTEM_REQUEST.test(type));
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
