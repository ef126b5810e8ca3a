import type { PlannedWrite } from './committer.js';
import type { Round } from './rounds.js';

/** Whoever waits for a write, or a read. */
export interface Told<T> {
  resolve(result: T): void;
  reject(error: unknown): void;
}

/** A write that was accepted. */
export interface QueuedWrite extends PlannedWrite {
  /** What it takes of a request. */
  readonly bytes: number;
  /** By the connection's clock. */
  readonly acceptedAt: number;
  readonly told: Told<BatchedWrite>;
  /** With which those are told who wait until it is. */
  readonly round: Round;
}

/** What came of a write. */
export interface BatchedWrite {
  /** The revision that it was applied at, shared by all of its transaction. */
  readonly revision: bigint;
}

/** How much goes into one transaction. */
export interface BatchLimits {
  readonly writes: number;
  readonly bytes: number;
}

/** Stands for a key of which nothing is ready or out. */
const IDLE = Object.freeze([]) as unknown as QueuedWrite[];
/** So many keys are remembered beside those that are busy: a map that is always emptied is always made anew. */
const MOST_IDLE = 1024;

/**
 * The writes that wait, in order. At most one of a key is ever out of it: the next one is ready when
 * that one is released. So no transaction holds a key twice, and none overtakes another's.
 */
export class BatchQueue {
  /**
   * What can be sent, oldest first. No `Set`: each time that V8 makes the table of one anew, the old table
   * points to the new one, and once one of them is in old memory, scavenges keep all that come after it.
   */
  private readonly ready: QueuedWrite[] = [];
  private bytes = 0;
  /** Those whose turn it is, and that cannot be sent yet. */
  private readonly parked = new Set<QueuedWrite>();
  /**
   * What waits behind the one of its key that is ready or out. Null if nothing waits; {@link IDLE}, or no entry,
   * if none is ready or out.
   */
  private readonly keys = new Map<string, QueuedWrite[] | null>();
  /** How many are not idle. */
  private busy = 0;

  constructor(
    private readonly limits: BatchLimits,
    /** The turn of a write has come: no other of its key is out. */
    private readonly onTurn: (write: QueuedWrite) => void,
  ) {}

  /** How many can be sent. */
  get readyCount(): number {
    return this.ready.length;
  }

  /** Whether a transaction would be full. */
  get isFull(): boolean {
    return this.ready.length >= this.limits.writes || this.bytes >= this.limits.bytes;
  }

  /** When the oldest that can be sent was accepted; null if there is none. */
  get oldestAt(): number | null {
    return this.ready[0]?.acceptedAt ?? null;
  }

  /** Takes one in. Its turn is now, or when that before it of its key is released. */
  enter(write: QueuedWrite): void {
    const behind = this.keys.get(write.name);
    if (behind === undefined || behind === IDLE) {
      this.busy += 1;
      this.keys.set(write.name, null);
      return this.onTurn(write);
    }
    if (behind) behind.push(write);
    else this.keys.set(write.name, [write]);
  }

  /** One whose turn it is can be sent. */
  makeReady(write: QueuedWrite): void {
    this.ready.push(write);
    this.bytes += write.bytes;
  }

  /** One whose turn it is waits for something else. */
  park(write: QueuedWrite): void {
    this.parked.add(write);
  }

  /** Those that are parked, oldest first, and are not any more: each has its turn again. */
  unpark(): void {
    const writes = [...this.parked];
    this.parked.clear();
    for (const write of writes) this.onTurn(write);
  }

  /** Those that wait for something else, oldest first. */
  get parkedOnes(): QueuedWrite[] {
    return [...this.parked];
  }

  /** The next transaction's writes, each of another key: at least one, if any is ready. */
  take(): QueuedWrite[] {
    let count = 0;
    let bytes = 0;
    for (const write of this.ready) {
      if (count >= this.limits.writes) break;
      if (count > 0 && bytes + write.bytes > this.limits.bytes) break;
      count += 1;
      bytes += write.bytes;
    }
    this.bytes -= bytes;
    return this.ready.splice(0, count);
  }

  /** A write whose turn it was has come to its end, so it is the next one's. */
  release({ name }: QueuedWrite): void {
    const next = this.keys.get(name)?.shift();
    if (next) return this.onTurn(next);
    this.busy -= 1;
    this.keys.set(name, IDLE);
    if (this.keys.size > 2 * this.busy + MOST_IDLE) this.forgetIdle();
  }

  /** Takes one out that was not sent yet. False if it was. */
  withdraw(write: QueuedWrite): boolean {
    const index = this.ready.indexOf(write);
    if (index >= 0) {
      this.ready.splice(index, 1);
      this.bytes -= write.bytes;
      this.release(write);
      return true;
    }
    if (this.parked.delete(write)) {
      this.release(write);
      return true;
    }
    const behind = this.keys.get(write.name);
    const place = behind?.indexOf(write) ?? -1;
    if (place < 0) return false;
    behind!.splice(place, 1);
    return true;
  }

  /** Takes out all of a kind that were not sent yet, and gives them. */
  withdrawEach(isSuch: (write: QueuedWrite) => boolean): QueuedWrite[] {
    // Those behind others first: none of them is to have its turn.
    const behindOthers = [...this.keys.values()].flatMap((behind) =>
      behind && behind !== IDLE ? takeOut(behind, isSuch) : [],
    );
    const ready = takeOut(this.ready, isSuch);
    const parked = this.parkedOnes.filter(isSuch);
    for (const { bytes } of ready) this.bytes -= bytes;
    for (const write of parked) this.parked.delete(write);
    for (const write of [...ready, ...parked]) this.release(write);
    return [...ready, ...parked, ...behindOthers];
  }

  private forgetIdle(): void {
    for (const [name, behind] of this.keys) if (behind === IDLE) this.keys.delete(name);
  }
}

/** Takes those out of a list that are such, in one pass, and gives them. */
function takeOut(list: QueuedWrite[], isSuch: (write: QueuedWrite) => boolean): QueuedWrite[] {
  const taken: QueuedWrite[] = [];
  let kept = 0;
  for (const write of list) {
    if (isSuch(write)) taken.push(write);
    else list[kept++] = write;
  }
  list.length = kept;
  return taken;
}
