import type { Claim } from './claim.js';
import { ClaimQueue } from './claim-queue.js';
import type { QueueGround, QueueKind } from './queue-ground.js';
import { LocalQueue } from './local-queue.js';
import type { LockTurns } from './lock-options.js';
import { SoloLock } from './solo-lock.js';

/** How this process asks for one lock, by the ways in which it can be had. */
export interface Ways {
  /** In turns with others of this process. */
  readonly local: LocalQueue;
  /** Strictly in the order of all processes. */
  readonly strict: SoloLock;
  /** Beside other readers. */
  readonly shared: SoloLock;
}

/** What this process has to do with one lock or semaphore. It is forgotten when that is nothing. */
export class NamedLock implements Ways {
  readonly local: LocalQueue;
  readonly strict: SoloLock;
  readonly shared: SoloLock;
  private readonly queue: ClaimQueue;

  constructor(
    ground: QueueGround,
    kind: QueueKind,
    /** What fences say that they are of. */
    readonly resource: string,
    turns: LockTurns,
    private readonly unused: () => void,
  ) {
    const { name } = kind;
    const idle = () => this.forgetIfUnused();
    this.queue = new ClaimQueue(ground, kind, () => {
      this.local.changed();
      idle();
    });
    this.local = new LocalQueue(name, resource, ground, this.queue, turns, idle);
    this.strict = new SoloLock(name, resource, ground, this.queue, false, idle);
    this.shared = new SoloLock(name, resource, ground, this.queue, true, idle);
  }

  /** How many permits it is asked for with, if it is a semaphore. */
  get permits(): number | undefined {
    return this.queue.kind.condition?.permits;
  }

  /** Whether something of this process may stand in its queue. */
  get isClaimed(): boolean {
    return this.queue.isClaimed;
  }

  /** Whether work of this process has it, in whichever way. */
  get isHeld(): boolean {
    return [this.local, this.strict, this.shared].some((way) => way.isHeld);
  }

  /** Claims of which nobody tells that their key is gone. */
  get unobserved(): Iterable<Claim> {
    return this.queue.unobserved;
  }

  drain(): void {
    for (const way of [this.local, this.strict, this.shared]) way.drain();
  }

  close(): void {
    for (const way of [this.local, this.strict, this.shared]) way.close();
    this.queue.close();
  }

  private forgetIfUnused(): void {
    const idle = [this.local, this.strict, this.shared].every((way) => way.isIdle);
    if (idle && this.queue.isUnused) this.unused();
  }
}
