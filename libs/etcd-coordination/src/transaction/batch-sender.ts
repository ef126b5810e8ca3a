import { pause } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { ClientClosedError, EtcdNoSpaceError } from '../client/etcd.errors.js';
import { retryDelay } from '../client/retry-delay.js';
import { failureOf, isOfOneWrite, isUnanswered } from './batch-failure.js';
import type { QueuedWrite } from './batch-queue.js';
import type { Committer, CommitPlan } from './committer.js';
import { FenceGuard } from './fence-guard.js';

/** What became of writes that went together. Each is told once. */
export interface SendHandlers {
  written(batch: readonly QueuedWrite[], revision: bigint): void;
  /** `isOut` while they may be applied yet, until {@link barred}. */
  failed(
    batch: readonly QueuedWrite[],
    errorOf: (write: QueuedWrite) => unknown,
    isOut: boolean,
  ): void;
  /** They are not applied any more, if they were not before. */
  barred(batch: readonly QueuedWrite[]): void;
  /** etcd did not answer. */
  unanswered(): void;
  /** A batch is taken apart. */
  takenApart(): void;
}

/** Sends batches, each as one transaction, and takes apart those of which etcd refuses something. */
export class BatchSender {
  private readonly closing = new AbortController();

  constructor(
    private readonly client: EtcdClient,
    private readonly committer: Committer,
    private readonly handlers: SendHandlers,
  ) {}

  /**
   * Resolves when each write was told. Never rejects.
   *
   * @param whenBack called before the first is told, unless the batch is taken apart: then after the last
   */
  async send(batch: readonly QueuedWrite[], whenBack?: () => void): Promise<void> {
    let bar: (() => Promise<void>) | null = null;
    let revision: bigint;
    try {
      const plan = new BatchPlan(batch);
      ({ revision } = await this.committer.commit(plan, FenceGuard.none, (it) => (bar = it)));
    } catch (error) {
      return this.refused(batch, error, bar, whenBack);
    }
    whenBack?.();
    this.handlers.written(batch, revision);
  }

  /** Asks no more after those whose outcome nobody knows. */
  close(): void {
    this.closing.abort();
  }

  private async refused(
    batch: readonly QueuedWrite[],
    error: unknown,
    bar: (() => Promise<void>) | null,
    whenBack: (() => void) | undefined,
  ): Promise<void> {
    const parts = partsOf(batch, error);
    if (parts) {
      this.handlers.takenApart();
      // They are one thing that is under way, until the last of them is back.
      await Promise.all(parts.map((part) => this.send(part)));
      return whenBack?.();
    }
    whenBack?.();
    const errorOf = ({ name }: QueuedWrite) => failureOf('write', name, error, this.client);
    this.handlers.failed(batch, errorOf, bar !== null);
    if (bar) void this.barInTheEnd(batch, bar);
    if (isUnanswered(error)) this.handlers.unanswered();
  }

  /** However long it takes: what comes after a write must not come before it. */
  private async barInTheEnd(
    batch: readonly QueuedWrite[],
    bar: () => Promise<void>,
  ): Promise<void> {
    for (let attempt = 1; !this.closing.signal.aborted; attempt++) {
      try {
        await bar();
        break;
      } catch (error) {
        if (error instanceof ClientClosedError) break;
      }
      this.handlers.unanswered();
      const delay = retryDelay(attempt, this.client.options.retry);
      const { signal } = this.closing;
      await pause(this.client.clock, delay, signal, { unref: true }).catch(() => undefined);
    }
    this.handlers.barred(batch);
  }
}

/** What to send again, none of which was written; null if nothing is. */
function partsOf(batch: readonly QueuedWrite[], error: unknown): QueuedWrite[][] | null {
  if (batch.length === 1) return null;
  if (isOfOneWrite(error)) {
    const middle = batch.length >> 1;
    return [batch.slice(0, middle), batch.slice(middle)];
  }
  // A full database takes no key, but lets keys go.
  if (!(error instanceof EtcdNoSpaceError)) return null;
  const puts = batch.filter(({ value }) => value !== null);
  if (puts.length === 0 || puts.length === batch.length) return null;
  return [batch.filter(({ value }) => value === null), puts];
}

/** A batch as a transaction without conditions. */
class BatchPlan implements CommitPlan {
  readonly compare = [];
  readonly reads = [];

  constructor(readonly writes: readonly QueuedWrite[]) {}

  /** Hardly ever asked for. */
  get what(): string {
    const names = this.writes.slice(0, 3).map(({ name }) => JSON.stringify(name));
    return `a write of ${names.join(', ')}${this.writes.length > 3 ? ' and others' : ''}`;
  }
}
