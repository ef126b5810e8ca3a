import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { Etcd3 } from 'etcd3';
import { InjectEtcd, type LockHandle } from 'nestjs-etcd-coordination';
import { DemoKeys } from '../../demo-shared/src/data/demo-keys.js';

/** What a process found that was stopped in the middle of a reservation. */
export interface HoldReport {
  readonly token: string;
  /** For how long nothing ran in this process. */
  readonly frozenMs: number;
  /** Read in the first statement after waking, before any timer or answer could have been handled. */
  readonly lockValidOnWaking: boolean;
  readonly signalAbortedOnWaking: boolean;
  /** The code of the error with which the reservation's own write was refused; null if it was taken. */
  readonly lateWrite: string | null;
  /** Whether etcd took a late write that was guarded by the fence and by nothing else. */
  readonly lateNoteTaken: boolean;
}

/** The reservation that is held up. */
interface Held {
  readonly lock: LockHandle;
  waking: Omit<HoldReport, 'lateWrite' | 'lateNoteTaken'> | null;
}

/** `armed` waits for a reservation, `holding` has one, between reading and writing. */
export type HoldState = 'idle' | 'armed' | 'holding' | 'over';

/** Where nobody stops the process, a reservation is held up for so long. */
const LONGEST_HOLD_MS = 30_000;
const LOOK_EVERY_MS = 5;
const FROZEN_MS = 500;
const LATE_NOTE_ATTEMPTS = 5;

/**
 * Holds up a reservation between reading and writing until this process has been stopped and woken
 * (`kill -STOP`, `kill -CONT`), and then lets it write at once, as a process does that knows nothing of it.
 */
@Injectable()
export class DemoHold {
  private readonly logger = new Logger(DemoHold.name);
  private current: HoldState = 'idle';
  private found: HoldReport | null = null;
  private held: Held | null = null;

  constructor(
    @InjectEtcd() private readonly etcd: Etcd3,
    private readonly keys: DemoKeys,
  ) {}

  get state(): HoldState {
    return this.current;
  }

  get report(): HoldReport | null {
    return this.found;
  }

  /** Holds up the next reservation. */
  arm(): void {
    this.current = 'armed';
    this.found = null;
  }

  /** Runs a reservation under `lock`, and reports on it if it was held up. */
  async around<T>(lock: LockHandle, reserve: () => Promise<T>): Promise<T> {
    try {
      const reservation = await reserve();
      await this.end(lock, null);
      return reservation;
    } catch (error) {
      await this.end(lock, String((error as { code?: unknown }).code ?? error));
      throw error;
    }
  }

  /** Called between reading and writing: holds up one reservation, if that was asked for. */
  async here(lock: LockHandle): Promise<void> {
    if (this.current !== 'armed') return;
    this.current = 'holding';
    const held: Held = { lock, waking: null };
    this.held = held;
    const start = performance.now();
    for (let last = start; last - start < LONGEST_HOLD_MS;) {
      await pause(LOOK_EVERY_MS);
      const frozenMs = performance.now() - last;
      last += frozenMs;
      if (frozenMs < FROZEN_MS) continue;
      held.waking = {
        token: lock.token.toString(),
        lockValidOnWaking: lock.isValid(),
        signalAbortedOnWaking: lock.signal.aborted,
        frozenMs: Math.round(frozenMs),
      };
      return;
    }
  }

  private async end(lock: LockHandle, lateWrite: string | null): Promise<void> {
    if (this.held?.lock !== lock) return;
    const { waking } = this.held;
    this.held = null;
    this.current = 'idle';
    if (!waking) return;
    this.logger.warn(
      `Awake after ${waking.frozenMs} ms: the lock is ${waking.lockValidOnWaking ? 'valid' : 'lost'}, and the reservation's write ${lateWrite === null ? 'was taken' : `was refused, ${lateWrite}`}.`,
    );
    this.found = { ...waking, lateWrite, lateNoteTaken: await this.writeNote(lock) };
    this.current = 'over';
  }

  /** A write that the library has no say in, and that nothing but the fence can refuse. */
  private async writeNote({ fence, token }: LockHandle): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { succeeded } = await this.etcd
          .if(fence.key, 'Create', '==', fence.revision.toString())
          .then(this.etcd.put(this.keys.lateNote(token)).value('written'))
          .commit();
        return succeeded;
      } catch (error) {
        // The connection may have broken under a process that was stopped.
        if (attempt === LATE_NOTE_ATTEMPTS) throw error;
      }
    }
  }
}
