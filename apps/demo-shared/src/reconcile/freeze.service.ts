import { ConflictException, Injectable, Logger } from '@nestjs/common';
import type { Etcd3 } from 'etcd3';
import { InjectEtcd, type LeaderTerm } from 'nestjs-etcd-coordination';
import { DemoKeys } from '../data/demo-keys.js';
import type { SettleOutcome } from './settlement.service.js';

/** What a frozen leader found when it woke up. */
export interface FreezeReport {
  readonly epoch: string;
  readonly orderId: string;
  /** For how long nothing ran in this process. */
  readonly frozenMs: number;
  /** Read in the first statement after waking, before any timer or answer could have been handled. */
  readonly signalAbortedOnWaking: boolean;
  readonly termValidOnWaking: boolean;
  /** What etcd made of the order that the leader held all the while. */
  readonly lateOrder: SettleOutcome;
  /** Whether etcd took a late write that was guarded by the epoch and by nothing else. */
  readonly lateNoteTaken: boolean;
}

interface ArmedFreeze {
  readonly ms: number;
  readonly done: (report: FreezeReport) => void;
  readonly failed: (error: unknown) => void;
}

/** A member may need to find its connection again after a freeze. */
const LATE_WRITE_ATTEMPTS = 5;

/**
 * Breaks the reconciler on purpose, to show what happens then: between reading an order and
 * writing the result nothing runs in this process for a while, as in a long garbage collection
 * or on a machine that swaps.
 */
@Injectable()
export class DemoFreeze {
  private readonly logger = new Logger(DemoFreeze.name);
  private armed: ArmedFreeze | null = null;

  constructor(
    @InjectEtcd() private readonly etcd: Etcd3,
    private readonly keys: DemoKeys,
  ) {}

  /** Freezes the reconciler for `ms` at its next order. Resolves with what it found on waking. */
  arm(ms: number, signal: AbortSignal): Promise<FreezeReport> {
    if (this.armed)
      throw new ConflictException('A freeze is already armed and waits for an order.');
    return new Promise<FreezeReport>((done, failed) => {
      const armed = { ms, done, failed };
      this.armed = armed;
      signal.addEventListener('abort', () => {
        if (this.armed !== armed) return;
        this.armed = null;
        failed(new ConflictException('No order came to be frozen at.'));
      });
    });
  }

  /** Runs `write`, after a freeze if one is armed. */
  async around(
    term: LeaderTerm,
    orderId: string,
    write: () => Promise<SettleOutcome>,
  ): Promise<SettleOutcome> {
    const armed = this.armed;
    if (!armed) return write();
    this.armed = null;
    const start = performance.now();
    this.logger.warn(`Holding order ${orderId}, this leader now freezes for ${armed.ms} ms.`);
    blockEventLoop(armed.ms);
    const signalAbortedOnWaking = term.signal.aborted;
    const termValidOnWaking = term.isValid();
    const frozenMs = Math.round(performance.now() - start);
    try {
      const lateOrder = await answered(write);
      const lateNoteTaken = await answered(() => this.writeNote(term));
      const epoch = term.epoch.toString();
      this.logger.warn(
        `Awake after ${frozenMs} ms: signal aborted ${signalAbortedOnWaking}, late write of order ${orderId}: ${lateOrder}.`,
      );
      armed.done({
        epoch,
        orderId,
        frozenMs,
        signalAbortedOnWaking,
        termValidOnWaking,
        lateOrder,
        lateNoteTaken,
      });
      return lateOrder;
    } catch (error) {
      armed.failed(error);
      throw error;
    }
  }

  /** A write that nothing but the epoch can refuse. */
  private async writeNote(term: LeaderTerm): Promise<boolean> {
    const answer = await this.etcd
      .if(term.fence.key, 'Create', '==', term.fence.token.toString())
      .then(this.etcd.put(this.keys.lateNote(term.epoch)).value('written'))
      .commit();
    return answer.succeeded;
  }
}

function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/**
 * Repeats a write until etcd has answered it. Safe for a transaction that its own success makes
 * impossible, and needed here: a connection may break under a process that is frozen.
 */
async function answered<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      if (attempt === LATE_WRITE_ATTEMPTS) throw error;
    }
  }
}
