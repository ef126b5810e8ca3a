import { systemClock, type MonotonicClock } from '../client/clock.js';

/** How long a transaction waits for others of its process before it tries its luck beside them. */
const LONGEST_WAIT_MS = 500;

/** A place at what transactions contend for. */
export interface Turn {
  readonly id: string;
  /** Whether others went first, and so what was read before is no longer so. */
  readonly hasWaited: boolean;
  release(): void;
}

interface Queue {
  /** Those whose turn it is; more than one only when some waited for too long. */
  holders: number;
  readonly waiting: (() => void)[];
}

/**
 * Lets transactions of this process that met at a key take turns there, one after the other: each
 * would make the others fail and try again. First come, first served, and no promise is built on
 * it: whoever waits for too long goes on without.
 */
export class ConflictTurns {
  private readonly queues = new Map<string, Queue>();

  constructor(private readonly clock: MonotonicClock = systemClock) {}

  /** Whether transactions of this process take turns at it now. */
  isContended(id: string): boolean {
    return this.queues.has(id);
  }

  /** Waits for a turn. Whoever holds one must not wait for another. */
  async take(id: string): Promise<Turn> {
    let queue = this.queues.get(id);
    const hasWaited = queue !== undefined;
    if (queue) {
      await waitIn(this.clock, queue);
    } else {
      queue = { holders: 1, waiting: [] };
      this.queues.set(id, queue);
    }
    const held = queue;
    return { id, hasWaited, release: () => this.release(id, held) };
  }

  private release(id: string, queue: Queue): void {
    queue.holders -= 1;
    if (queue.holders > 0) return;
    const next = queue.waiting.shift();
    if (next) next();
    else this.queues.delete(id);
  }
}

function waitIn(clock: MonotonicClock, queue: Queue): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      cancel();
      // At once, or the queue would seem to be empty until whoever waits runs on.
      queue.holders += 1;
      resolve();
    };
    const cancel = clock.setTimer(() => {
      queue.waiting.splice(queue.waiting.indexOf(go), 1);
      go();
    }, LONGEST_WAIT_MS);
    queue.waiting.push(go);
  });
}
