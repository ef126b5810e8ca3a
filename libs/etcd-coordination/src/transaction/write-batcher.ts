import type { EtcdClient } from '../client/etcd-client.js';
import { settledWithin } from '../client/settled-within.js';
import type { WatchedValue } from '../watch/watched-value.js';
import type { BatchedWrite, Told } from './batch-queue.js';
import { BatchedWrites } from './batched-writes.js';
import { CommitMarks } from './commit-marks.js';
import { Committer, type PlannedWrite } from './committer.js';
import type { TransactionDeps } from './etcd-transactions.js';
import { MergedReads } from './merged-reads.js';
import { TransactionKeys } from './transaction-keys.js';
import {
  readLease,
  readSignal,
  readValue,
  type PutOptions,
  type TransactionValue,
} from './transaction-options.js';
import {
  MAX_REQUEST_BYTES,
  readWriteBatcherOptions,
  type WriteBatcherOptions,
} from './write-batcher-options.js';
import { WriteBatcherClosedError, WriteBatcherFullError } from './write-batcher.errors.js';

/** How a write, or a read, waits. */
export interface BatchedOptions {
  /** Withdraws what was not sent yet: it rejects with the signal's reason. What was sent is finished. */
  readonly signal?: AbortSignal;
}

/** How a key is put through the batcher. */
export interface BatchedPutOptions extends PutOptions, BatchedOptions {}

/** What a batcher has done so far, and what it is at. */
export interface WriteBatcherStats {
  /** Writes that are accepted and not told yet, or of unknown outcome while they may be applied yet. */
  readonly pending: number;
  /** What they take of their requests. */
  readonly pendingBytes: number;
  /** Writes that were applied. */
  readonly written: number;
  /** Writes that were told an error, those of unknown outcome included. */
  readonly failed: number;
  /** Transactions of writes; the parts of one that was taken apart are not counted. */
  readonly transactions: number;
  /** How often one was taken apart, or a part of it. */
  readonly takenApart: number;
  /** Reads that were asked for. */
  readonly reads: number;
  /** Calls that were made for them. */
  readonly readCalls: number;
}

/** What goes with each operation of a transaction on the wire at most: tags, lengths, a lease. */
const OPERATION_BYTES = 48;
/** What goes with each transaction at most: its mark, and what etcd adds in its own log. */
const REQUEST_BYTES = 1024;

/**
 * Gathers writes and sends them together, and the same for reads: most of what a small one costs is
 * its call.
 *
 * The writes of a key are applied in the order in which they were asked for. Of each key one is out
 * at a time, and one whose outcome nobody knows holds back those behind it until etcd has said that
 * it will not be applied any more. Between keys there is no order, and no transaction: if etcd refuses
 * one of the writes that went together, it fails alone, and the others are sent without it.
 *
 * What is known of a write whose answer was lost is what its transaction's mark says, as with
 * {@link EtcdTransactions}: nothing that may have been applied is sent again. With etcd's RBAC, the
 * connection's user needs to read and write what is below `<namespace>/transaction/`, for the marks.
 */
export class WriteBatcher {
  private readonly client: EtcdClient;
  private readonly options: Required<WriteBatcherOptions>;
  private readonly keys: TransactionKeys;
  private readonly marks: CommitMarks;
  private readonly keepsMarks: boolean;
  private readonly writes: BatchedWrites;
  private readonly reads: MergedReads;
  private closing: Promise<void> | null = null;

  /** @throws InvalidWriteBatcherOptionsError naming the option and the cure */
  constructor({ client, namespace, session }: TransactionDeps, options?: WriteBatcherOptions) {
    this.client = client;
    this.options = readWriteBatcherOptions(options);
    this.keys = new TransactionKeys(namespace);
    this.marks = new CommitMarks(client, namespace);
    this.keepsMarks = session === undefined;
    const { maxOperations, maxBytes, maxPending, windowMs } = this.options;
    this.writes = new BatchedWrites({
      client,
      session,
      committer: new Committer(client, this.marks, session),
      // One operation is the mark's.
      limits: {
        writes: maxOperations - 1,
        bytes: Math.min(maxBytes, MAX_REQUEST_BYTES - REQUEST_BYTES),
      },
      windowMs,
    });
    this.reads = new MergedReads(client, maxPending);
  }

  /**
   * Puts a key. Resolves when that is applied. What is sent may take as long as a plain put,
   * `timeouts.write`, and is told within twice that at the latest: the rest is for finding out what became
   * of it, should the answer stay away. Whoever does not await it adds a `.catch()`: else a
   * rejection that nobody handles ends the process.
   *
   * @throws InvalidTransactionError, ReservedKeyError for what makes no sense; nothing was sent
   * @throws WriteBatcherFullError if too much waits already, WriteBatcherClosedError after the end;
   *   nothing was sent
   * @throws RequestTooLargeError, EtcdPermissionDeniedError, LeaseNotFoundError, NoSessionLeaseError,
   *   EtcdNoSpaceError if etcd refuses this very write; nothing was written
   * @throws EtcdUnavailableError, EtcdTimeoutError if etcd could not be asked; nothing was written
   * @throws WriteOutcomeUnknownError if the answer was lost, and etcd could not be asked since
   * @throws the signal's reason, if that aborts before it was sent
   */
  put(key: string, value: TransactionValue, options?: BatchedPutOptions): Promise<BatchedWrite> {
    return new Promise((resolve, reject) => {
      const planned = {
        key: this.keys.toWrite(key),
        name: key,
        value: readValue(key, value),
        lease: readLease(key, options),
      };
      this.accept(planned, options, { resolve, reject });
    });
  }

  /** Deletes a key, if it is there. Rejects as {@link put} does. */
  delete(key: string, options?: BatchedOptions): Promise<BatchedWrite> {
    return new Promise((resolve, reject) => {
      const planned = { key: this.keys.toWrite(key), name: key, value: null, lease: null };
      this.accept(planned, options, { resolve, reject });
    });
  }

  /**
   * Reads a key, null if it is not there: linearizably, so everything is seen that was written before
   * this was called, by whomever. Reads that wait together go in one call, and those of one key share
   * its answer; none joins a call that was sent before.
   *
   * @throws InvalidTransactionError for what cannot be a key
   * @throws WriteBatcherFullError, WriteBatcherClosedError as {@link put} does
   * @throws EtcdPermissionDeniedError, EtcdUnavailableError, EtcdTimeoutError as any read does
   * @throws the signal's reason, if that aborts before there is an answer
   */
  get(key: string, options?: BatchedOptions): Promise<WatchedValue | null> {
    return new Promise((resolve, reject) => {
      const whole = this.keys.toRead(key);
      const signal = readSignal(key, options);
      signal?.throwIfAborted();
      this.assertOpen(key);
      this.reads.assertRoom(key);
      const told = { resolve, reject };
      const until = signal
        ? ending(told, signal, (reason) => this.reads.withdraw(read, reason))
        : told;
      const read = this.reads.ask(key, whole, until);
    });
  }

  /**
   * Sends what waits without waiting for the window to end, and resolves when everything that was
   * accepted before has been told, whatever it was told. Never rejects.
   */
  async flush(): Promise<void> {
    await Promise.all([this.writes.flush(), this.reads.settled()]);
  }

  /**
   * Accepts nothing any more, sends what waits, and resolves when everything that was accepted has been
   * told. Never rejects. Call it before the session and the connection are closed.
   *
   * @param drainTimeoutMs what is not sent by then is refused with a WriteBatcherClosedError, and what
   *   is under way is still waited for; left out, all of it is sent, or fails by its deadline
   */
  close(drainTimeoutMs?: number): Promise<void> {
    this.closing ??= this.drain(drainTimeoutMs);
    return this.closing;
  }

  /** What it has done so far, and what it is at. */
  get stats(): WriteBatcherStats {
    const { held, heldBytes, written, failed, transactions, takenApart } = this.writes;
    const { asked, calls } = this.reads;
    return {
      pending: held,
      pendingBytes: heldBytes,
      written,
      failed,
      transactions,
      takenApart,
      reads: asked,
      readCalls: calls,
    };
  }

  private accept(
    planned: PlannedWrite,
    options: BatchedOptions | undefined,
    told: Told<BatchedWrite>,
  ): void {
    const { key, name, value } = planned;
    const signal = readSignal(name, options);
    signal?.throwIfAborted();
    const bytes = key.length + (value?.length ?? 0) + OPERATION_BYTES;
    this.assertOpen(name);
    this.assertRoom(name, bytes);
    const { writes } = this;
    if (!signal) {
      writes.accept(planned, bytes, told);
      return;
    }
    const until = ending(told, signal, (reason) => writes.withdraw(write, reason));
    const write = writes.accept(planned, bytes, until);
  }

  private async drain(drainTimeoutMs: number | undefined): Promise<void> {
    const { clock } = this.client;
    const flushed = this.flush();
    if (drainTimeoutMs !== undefined && !(await settledWithin(clock, flushed, drainTimeoutMs))) {
      this.writes.withdrawAll((name) => new WriteBatcherClosedError(name));
      this.reads.withdrawAll((name) => new WriteBatcherClosedError(name));
    }
    await flushed;
    this.writes.close();
    // Small, and in nobody's way, should they stay.
    if (this.keepsMarks) await this.marks.clear().catch(() => undefined);
  }

  private assertOpen(name: string): void {
    if (this.closing) throw new WriteBatcherClosedError(name);
  }

  private assertRoom(name: string, bytes: number): void {
    const { maxPending, maxPendingBytes } = this.options;
    const { held, heldBytes } = this.writes;
    if (held >= maxPending) {
      throw new WriteBatcherFullError(name, `${held} writes`, 'maxPending');
    }
    if (heldBytes + bytes > maxPendingBytes) {
      throw new WriteBatcherFullError(name, `${heldBytes} bytes of others`, 'maxPendingBytes');
    }
  }
}

/** The same, and the signal is let go at the end. */
function ending<T>(
  told: Told<T>,
  signal: AbortSignal,
  onAbort: (reason: unknown) => void,
): Told<T> {
  const abort = () => onAbort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const letGo = () => signal.removeEventListener('abort', abort);
  return {
    resolve: (result) => {
      letGo();
      told.resolve(result);
    },
    reject: (error) => {
      letGo();
      told.reject(error);
    },
  };
}
