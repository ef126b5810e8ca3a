import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdTimeoutError } from '../client/etcd.errors.js';
import type { EtcdSession } from '../session/etcd-session.js';
import {
  BatchQueue,
  type BatchedWrite,
  type BatchLimits,
  type QueuedWrite,
  type Told,
} from './batch-queue.js';
import { BatchSender } from './batch-sender.js';
import type { Committer, PlannedWrite } from './committer.js';
import { LeaseWait } from './lease-wait.js';
import { Rounds } from './rounds.js';
import { SendTurns } from './send-turns.js';
import { NoSessionLeaseError } from './transaction.errors.js';

/** What batched writes are made with. */
export interface BatchedWritesDeps {
  readonly client: EtcdClient;
  readonly session: EtcdSession | undefined;
  readonly committer: Committer;
  readonly limits: BatchLimits;
  readonly windowMs: number;
}

/**
 * The writes of a batcher, from being accepted until they are told: they wait for their turn and for
 * others to be sent with, are sent, and hold their key until nothing of them is out any more.
 */
export class BatchedWrites {
  private readonly client: EtcdClient;
  private readonly session: EtcdSession | undefined;
  private readonly leaseWait: LeaseWait | null;
  private readonly queue: BatchQueue;
  private readonly sender: BatchSender;
  private readonly turns: SendTurns;
  /** Those that are accepted and not told yet. */
  private readonly untold = new Rounds();
  /** Those, and what was told and may be applied yet. */
  held = 0;
  heldBytes = 0;
  written = 0;
  failed = 0;
  transactions = 0;
  takenApart = 0;

  constructor({ client, session, committer, limits, windowMs }: BatchedWritesDeps) {
    this.client = client;
    this.session = session;
    this.queue = new BatchQueue(limits, (write) => this.onTurn(write));
    this.leaseWait = session
      ? new LeaseWait(client, session, {
          ready: () => this.queue.unpark(),
          missed: (since, error) => this.giveUpOnLease(since, error),
        })
      : null;
    this.turns = new SendTurns(client.clock, windowMs, () => this.sendReady());
    this.sender = new BatchSender(client, committer, {
      written: (batch, revision) => {
        this.written += batch.length;
        for (const { round, told } of batch) {
          this.untold.end(round);
          told.resolve({ revision });
        }
        this.release(batch);
      },
      failed: (batch, errorOf, isOut) => {
        this.failed += batch.length;
        for (const write of batch) {
          this.untold.end(write.round);
          write.told.reject(errorOf(write));
        }
        if (!isOut) this.release(batch);
      },
      barred: (batch) => this.release(batch),
      unanswered: () => this.giveUpOverdue(),
      takenApart: () => (this.takenApart += 1),
    });
  }

  /** Takes one in, which takes so many bytes of a request. */
  accept(planned: PlannedWrite, bytes: number, told: Told<BatchedWrite>): QueuedWrite {
    const { key, name, value, lease } = planned;
    const acceptedAt = this.client.clock.now();
    const round = this.untold.begin();
    const write: QueuedWrite = { key, name, value, lease, bytes, acceptedAt, told, round };
    this.held += 1;
    this.heldBytes += bytes;
    this.queue.enter(write);
    return write;
  }

  /** Rejects a write, unless it was sent. */
  withdraw(write: QueuedWrite, reason: unknown): void {
    if (this.queue.withdraw(write)) this.withdrawn(write, reason);
  }

  /** Rejects all that is not sent, each with what `reason` makes of its key. */
  withdrawAll(reason: (name: string) => Error): void {
    for (const write of this.queue.withdrawEach(() => true)) {
      this.withdrawn(write, reason(write.name));
    }
  }

  /** Sends without waiting for the window, and resolves when everything was told that was accepted before. */
  async flush(): Promise<void> {
    const told = this.untold.over();
    if (this.queue.readyCount > 0) this.turns.hurry();
    await told;
  }

  /** Asks no more after what nobody knows. */
  close(): void {
    this.sender.close();
  }

  private onTurn(write: QueuedWrite): void {
    if (write.lease === 'session' && !this.session?.lease) {
      // There will be none: it fails, and nobody else is to be taken apart for that.
      if (!this.leaseWait) return void this.send([write]);
      // It waits with others that need one, and with nobody else.
      this.queue.park(write);
      return this.leaseWait.begin();
    }
    this.queue.makeReady(write);
    this.sendSoon(write.acceptedAt);
  }

  private sendSoon(since: number): void {
    const hurries = this.queue.isFull || this.untold.areAwaited;
    if (hurries) this.turns.hurry();
    else this.turns.request(since);
  }

  private sendReady(): void {
    while (this.queue.readyCount > 0 && !this.turns.areTaken) {
      this.turns.begin();
      void this.send(this.queue.take(), this.cameBack).then(this.sendRest);
    }
  }

  private send(batch: readonly QueuedWrite[], whenBack?: () => void): Promise<void> {
    this.transactions += 1;
    return this.sender.send(batch, whenBack);
  }

  private readonly cameBack = (): void => this.turns.back();

  private readonly sendRest = (): void => {
    const since = this.queue.oldestAt;
    if (since !== null) this.sendSoon(since);
  };

  /**
   * Their keys are the next ones'. Those who wait for them have been told by now, all of them: so what
   * they ask for next goes with what has its turn by this.
   */
  private release(batch: readonly QueuedWrite[]): void {
    for (const write of batch) {
      this.drop(write);
      this.queue.release(write);
    }
  }

  private drop({ bytes }: QueuedWrite): void {
    this.held -= 1;
    this.heldBytes -= bytes;
  }

  /** True if others wait that came later. */
  private giveUpOnLease(since: number, error: unknown): boolean {
    for (const write of this.queue.parkedOnes) {
      if (write.acceptedAt > since) continue;
      this.withdraw(write, new NoSessionLeaseError(write.name, error));
    }
    return this.queue.parkedOnes.length > 0;
  }

  /** While etcd does not answer, nobody waits for longer than a write may take. */
  private giveUpOverdue(): void {
    const { clock, options } = this.client;
    const { write: timeoutMs } = options.timeouts;
    const overdue = clock.now() - timeoutMs;
    for (const write of this.queue.withdrawEach(({ acceptedAt }) => acceptedAt <= overdue)) {
      const what = `The write of ${JSON.stringify(write.name)} was not sent, for those before it, and`;
      this.withdrawn(write, new EtcdTimeoutError(what, timeoutMs));
    }
  }

  /** It was taken out of the queue. */
  private withdrawn(write: QueuedWrite, reason: unknown): void {
    this.failed += 1;
    this.drop(write);
    this.untold.end(write.round);
    write.told.reject(reason);
  }
}
