import type { IKeyValue, IRangeResponse } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { isOfOnePart } from '../client/txn-merger.js';
import { WatchedValue } from '../watch/watched-value.js';
import { failureOf } from './batch-failure.js';
import type { Told } from './batch-queue.js';
import { MAX_OPERATIONS } from './committer.js';
import { readTogether } from './read-together.js';
import { Rounds, type Round } from './rounds.js';
import { SendTurns } from './send-turns.js';
import { WriteBatcherFullError } from './write-batcher.errors.js';

/** All who read one key by one call. */
interface SameRead {
  /** Relative to the namespace. */
  readonly name: string;
  readonly key: Buffer;
  readonly asked: Set<AskedRead>;
}

/** One who reads a key. */
export interface AskedRead {
  readonly told: Told<WatchedValue | null>;
  readonly round: Round;
  readonly same: SameRead;
}

/**
 * Reads keys for many: those that wait together go in one call, and those of one key share its answer.
 * What comes after a call was sent waits for the next one: that call's answer could be older than a
 * write which its caller has seen.
 */
export class MergedReads {
  private waiting = new Map<string, SameRead>();
  private readonly turns: SendTurns;
  private pending = 0;
  private readonly unanswered = new Rounds();
  /** How many were asked for. */
  asked = 0;
  /** How many calls were made for them, those that took one apart included. */
  calls = 0;

  constructor(
    private readonly client: EtcdClient,
    private readonly maxPending: number,
  ) {
    this.turns = new SendTurns(client.clock, 0, () => this.sendWaiting());
  }

  /** @throws WriteBatcherFullError if so many wait that no other may */
  assertRoom(name: string): void {
    if (this.pending >= this.maxPending) {
      throw new WriteBatcherFullError(name, `${this.pending} reads`, 'maxPending');
    }
  }

  ask(name: string, key: Buffer, told: Told<WatchedValue | null>): AskedRead {
    this.asked += 1;
    this.pending += 1;
    let same = this.waiting.get(name);
    if (!same) this.waiting.set(name, (same = { name, key, asked: new Set() }));
    const read = { told, round: this.unanswered.begin(), same };
    same.asked.add(read);
    this.turns.hurry();
    return read;
  }

  /** Rejects a read. If it was not sent, it will not be, unless others wait for the same. */
  withdraw(read: AskedRead, reason: unknown): void {
    const { same, told } = read;
    if (this.waiting.get(same.name) === same) {
      this.settle(read);
      if (same.asked.size === 0) this.waiting.delete(same.name);
    }
    told.reject(reason);
  }

  /** Rejects all that is not sent, each with what `reason` makes of its key. */
  withdrawAll(reason: (name: string) => Error): void {
    for (const { name, asked } of [...this.waiting.values()]) {
      for (const read of [...asked]) this.withdraw(read, reason(name));
    }
  }

  /** Resolves when all are answered that were asked for before. */
  settled(): Promise<void> {
    return this.unanswered.over();
  }

  private sendWaiting(): void {
    while (this.waiting.size > 0 && !this.turns.areTaken) {
      this.turns.begin();
      void this.send(this.take(), this.cameBack).then(this.sendRest);
    }
  }

  private readonly cameBack = (): void => this.turns.back();

  private readonly sendRest = (): void => {
    if (this.waiting.size > 0) this.turns.hurry();
  };

  private take(): SameRead[] {
    const batch: SameRead[] = [];
    for (const [name, same] of this.waiting) {
      if (batch.length >= MAX_OPERATIONS) break;
      batch.push(same);
      this.waiting.delete(name);
    }
    return batch;
  }

  /** @param whenBack called before the first is told, unless the batch is taken apart: then after the last */
  private async send(batch: readonly SameRead[], whenBack?: () => void): Promise<void> {
    this.calls += 1;
    let answers: readonly Pick<IRangeResponse, 'kvs'>[];
    try {
      const requests = batch.map(({ key }) => ({ key }));
      ({ answers } = await readTogether(this.client, requests));
    } catch (error) {
      return this.refused(batch, error, whenBack);
    }
    whenBack?.();
    for (const [index, same] of batch.entries()) {
      const kv = answers[index]!.kvs[0];
      const isShared = same.asked.size > 1;
      this.tell(same, (told) => told.resolve(kv ? valueOf(same.name, kv, isShared) : null));
    }
  }

  private async refused(
    batch: readonly SameRead[],
    error: unknown,
    whenBack: (() => void) | undefined,
  ): Promise<void> {
    if (batch.length > 1 && isOfOnePart(error)) {
      // One key that may not be read is to fail alone.
      const middle = batch.length >> 1;
      const halves = [batch.slice(0, middle), batch.slice(middle)];
      await Promise.all(halves.map((half) => this.send(half)));
      return whenBack?.();
    }
    whenBack?.();
    for (const same of batch) {
      const failure = failureOf('read', same.name, error, this.client);
      this.tell(same, (told) => told.reject(failure));
    }
  }

  private tell({ asked }: SameRead, how: (told: Told<WatchedValue | null>) => void): void {
    for (const read of [...asked]) {
      this.settle(read);
      how(read.told);
    }
  }

  /** It is none of those any more that wait for an answer. */
  private settle(read: AskedRead): void {
    read.same.asked.delete(read);
    this.pending -= 1;
    this.unanswered.end(read.round);
  }
}

/** Nobody else has its bytes, and they keep no answer in memory that is much larger. */
function valueOf(name: string, kv: IKeyValue, isShared: boolean): WatchedValue {
  const { value } = kv;
  if (!isShared && value.length * 2 >= value.buffer.byteLength) return WatchedValue.of(name, kv);
  return WatchedValue.of(name, { ...kv, value: Buffer.from(value) });
}
