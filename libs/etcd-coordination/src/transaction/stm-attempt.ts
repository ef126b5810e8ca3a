import type { ICompare, IRangeRequest, IRangeResponse } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { RevisionCompactedError } from '../client/etcd.errors.js';
import { WatchedValue } from '../watch/watched-value.js';
import type { CommitPlan, PlannedWrite } from './committer.js';
import { requestId, SnapshotReader, type Prefetched, type ReadAnswer } from './snapshot-reader.js';
import { keyId, type TransactionKeys } from './transaction-keys.js';
import {
  readLease,
  readLimit,
  readValue,
  type PutOptions,
  type TransactionIsolation,
  type TransactionValue,
} from './transaction-options.js';
import { InvalidTransactionError } from './transaction.errors.js';
import type { Transaction } from './transaction.js';

const AFTER = Buffer.from([0]);

/** One read of an attempt, and what it found. */
interface Read {
  /** As users name it. */
  readonly name: string;
  readonly request: IRangeRequest;
  readonly answer: ReadAnswer;
}

/** Runs the function of a transaction once: what it reads, what it is to write, and what must not have changed. */
export class StmAttempt implements Transaction {
  private readonly reader: SnapshotReader;
  private readonly pending = new Map<string, Promise<Read>>();
  private readonly reads = new Map<string, Read>();
  private readonly writes = new Map<string, PlannedWrite>();
  private first: { readonly wait: Promise<void> | null } | undefined;
  private over = false;
  /** Why this attempt cannot commit, whatever the function makes of it. */
  private fault: { readonly error: unknown } | null = null;

  constructor(
    client: EtcdClient,
    private readonly keys: TransactionKeys,
    private readonly isolation: TransactionIsolation,
    prefetched: Prefetched | null,
    /** Is asked before anything is read, with what is to be read first. */
    private readonly beforeFirst: (id: string) => Promise<void> | null,
  ) {
    this.reader = new SnapshotReader(client, this.isPinned, prefetched);
  }

  async get(key: string): Promise<WatchedValue | null> {
    this.assertOpen();
    const whole = this.keys.toRead(key);
    const own = this.writes.get(keyId(whole));
    if (own) return valueOf(own);
    const { answer } = await this.read(key, { key: whole });
    const [kv] = answer.kvs;
    return kv ? WatchedValue.of(key, kv) : null;
  }

  async range(
    prefix: string,
    options?: { readonly limit?: number },
  ): Promise<readonly WatchedValue[]> {
    this.assertOpen();
    const { key, rangeEnd } = this.keys.rangeOf(prefix);
    const limit = readLimit(prefix, options);
    const own = [...this.writes.values()].filter(
      (write) => write.key.compare(key) >= 0 && write.key.compare(rangeEnd) < 0,
    );
    // Those that this transaction deletes must not leave the result short.
    const asked = limit === undefined ? {} : { limit: limit + own.length };
    const { answer } = await this.read(prefix, { key, range_end: rangeEnd, ...asked });
    const rows = new Map(
      answer.kvs.map((kv) => [
        keyId(kv.key),
        { key: kv.key, value: WatchedValue.of(this.keys.relative(kv.key), kv) },
      ]),
    );
    const last = answer.more ? answer.kvs.at(-1)!.key : rangeEnd;
    for (const write of own) {
      const value = valueOf(write);
      if (!value) rows.delete(keyId(write.key));
      else if (write.key.compare(last) <= 0) rows.set(keyId(write.key), { key: write.key, value });
    }
    return [...rows.values()]
      .sort((a, b) => a.key.compare(b.key))
      .slice(0, limit)
      .map(({ value }) => value);
  }

  put(key: string, value: TransactionValue, options?: PutOptions): void {
    this.write(key, () => ({ value: readValue(key, value), lease: readLease(key, options) }));
  }

  delete(key: string): void {
    this.write(key, () => ({ value: null, lease: null }));
  }

  /**
   * Ends it when the function has ended: later reads and writes are refused.
   *
   * @throws what a read has failed with, even if the function has gone on in spite of it
   */
  async end(): Promise<void> {
    this.over = true;
    await Promise.allSettled(this.pending.values());
    if (this.fault) throw this.fault.error;
  }

  /** What is to be sent, or null if there is nothing to write and nothing left to check. */
  plan(isGuarded: boolean): CommitPlan | null {
    const writes = [...this.writes.values()];
    const hasToHold = writes.length > 0 || this.mayBeInconsistent;
    if (!hasToHold && !isGuarded) return null;
    const isChecked = hasToHold && this.isolation !== 'read-committed';
    return {
      what: `a transaction${writes.length > 0 ? ` on ${names(writes)}` : ''}`,
      compare: isChecked ? this.compares() : [],
      writes,
      reads: isChecked ? this.requests() : [],
    };
  }

  /** What a failed commit has read, for the next attempt. */
  prefetched(answers: readonly IRangeResponse[], revision: bigint): Prefetched {
    const requests = this.requests();
    return {
      revision,
      answers: new Map(requests.map((request, index) => [requestId(request), answers[index]!])),
    };
  }

  /** Which of the reads would be answered otherwise by now, and how users name them. */
  changed(answers: readonly IRangeResponse[]): { readonly id: string; readonly name: string }[] {
    return [...this.reads]
      .filter(([, { answer }], index) => {
        const now = answers[index]!.kvs;
        return (
          now.length !== answer.kvs.length ||
          now.some((kv, at) => kv.mod_revision !== answer.kvs[at]!.mod_revision)
        );
      })
      .map(([id, { name }]) => ({ id, name }));
  }

  private get isPinned(): boolean {
    return this.isolation === 'serializable-snapshot' || this.isolation === 'serializable';
  }

  /** Reads as of one revision are consistent as they are, and so is a single one. */
  private get mayBeInconsistent(): boolean {
    return this.isolation === 'repeatable-reads' && this.reads.size > 1;
  }

  private requests(): IRangeRequest[] {
    return [...this.reads.values()].map(({ request }) => request);
  }

  private read(name: string, request: IRangeRequest): Promise<Read> {
    const id = requestId(request);
    let read = this.pending.get(id);
    if (!read) {
      read = this.readNow(name, request);
      this.pending.set(id, read);
    }
    return read;
  }

  private async readNow(name: string, request: IRangeRequest): Promise<Read> {
    try {
      this.first ??= { wait: this.beforeFirst(requestId(request)) };
      if (this.first.wait) await this.first.wait;
      const read = { name, request, answer: await this.reader.read(request) };
      this.reads.set(requestId(request), read);
      return read;
    } catch (error) {
      this.fault ??= { error };
      throw error;
    }
  }

  private write(key: string, what: () => Pick<PlannedWrite, 'value' | 'lease'>): void {
    this.assertOpen();
    const whole = this.keys.toWrite(key);
    this.writes.set(keyId(whole), { key: whole, name: key, ...what() });
  }

  private compares(): ICompare[] {
    const reads = [...this.reads.values()];
    // A key that was read alone and in a range, say, is compared once.
    const compares = new Map<string, ICompare>();
    const watched: { readonly key: Buffer; readonly end: Buffer }[] = [];
    for (const { request, answer } of reads) {
      for (const kv of answer.kvs) {
        compares.set(`${keyId(kv.key)}\0${kv.mod_revision}`, isAt(kv.key, kv.mod_revision));
      }
      const { key, range_end: rangeEnd } = request as { key: Buffer; range_end?: Buffer };
      if (!rangeEnd) {
        if (answer.kvs.length === 0) compares.set(`${keyId(key)}\x000`, isAt(key, '0'));
        watched.push({ key, end: Buffer.concat([key, AFTER]) });
        continue;
      }
      // What was not there must not be there now: a key that was added is younger than the read.
      const end = answer.more ? Buffer.concat([answer.kvs.at(-1)!.key, AFTER]) : rangeEnd;
      const within = { ...isOlderThan(key, answer.revision + 1n), range_end: end };
      compares.set(requestId(request), within);
      watched.push({ key, end });
    }
    if (this.isolation === 'serializable-snapshot' && reads.length > 0) {
      const snapshot = reads[0]!.answer.revision;
      for (const [id, { key }] of this.writes) {
        const isWatched = watched.some((r) => r.key.compare(key) <= 0 && r.end.compare(key) > 0);
        if (!isWatched) compares.set(`${id}\0new`, isOlderThan(key, snapshot + 1n));
      }
    }
    return [...compares.values()];
  }

  private assertOpen(): void {
    if (!this.over) return;
    throw new InvalidTransactionError(
      'A transaction was used after its function had ended; await everything in the function that is given to stm().',
    );
  }
}

/** Whether another attempt may do what this one could not. */
export function isOutdated(error: unknown): boolean {
  return error instanceof RevisionCompactedError;
}

/** Absent keys are at revision 0. */
export function isAt(key: Buffer, revision: string): ICompare {
  return { key, target: 'Mod', result: 'Equal', mod_revision: revision };
}

function isOlderThan(key: Buffer, revision: bigint): ICompare {
  return { key, target: 'Mod', result: 'Less', mod_revision: revision.toString() };
}

/** What this transaction has written itself, as it reads it. */
function valueOf({ key, name, value, lease }: PlannedWrite): WatchedValue | null {
  if (value === null) return null;
  const unborn = { mod_revision: '0', create_revision: '0', version: '0' };
  return WatchedValue.of(name, { key, value, lease: lease ?? '0', ...unborn });
}

function names(writes: readonly PlannedWrite[]): string {
  const shown = writes.slice(0, 3).map(({ name }) => JSON.stringify(name));
  return writes.length > 3 ? `${shown.join(', ')} and others` : shown.join(', ');
}
