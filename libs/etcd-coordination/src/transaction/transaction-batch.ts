import { WatchedValue } from '../watch/watched-value.js';
import type { CommitPlan, PlannedWrite } from './committer.js';
import { KeyExpectation, type Expectation } from './expectation.js';
import type { FenceGuard } from './fence-guard.js';
import type { TransactionGround } from './run-stm.js';
import { keyId } from './transaction-keys.js';
import {
  readLease,
  readValue,
  type PutOptions,
  type TransactionValue,
} from './transaction-options.js';
import { InvalidTransactionError } from './transaction.errors.js';

/** What came of a batch. */
export type BatchResult =
  | {
      readonly succeeded: true;
      /** The revision of its writes. */
      readonly revision: bigint;
    }
  | {
      readonly succeeded: false;
      /** The revision at which something was not as expected. */
      readonly revision: bigint;
      /** What the keys that are not as expected are in its place, null if they are not there. */
      readonly unmet: ReadonlyMap<string, WatchedValue | null>;
    };

/**
 * Writes that go through together, or not at all, on conditions. Nothing is sent before
 * {@link commit}, and that can be called once.
 */
export class TransactionBatch {
  private readonly writes = new Map<string, PlannedWrite>();
  private readonly expectations = new Map<string, KeyExpectation>();
  private isOver = false;

  /** @internal */
  constructor(
    private readonly ground: TransactionGround,
    private readonly guard: FenceGuard,
  ) {}

  /**
   * Puts a key. A later put or delete of it takes the place of this one.
   *
   * @throws InvalidTransactionError for a key, value or lease that makes no sense
   * @throws ReservedKeyError for a key of the library's own
   */
  put(key: string, value: TransactionValue, options?: PutOptions): this {
    return this.write(key, () => ({
      value: readValue(key, value),
      lease: readLease(key, options),
    }));
  }

  /** Deletes a key, if it is there. Throws as {@link put} does. */
  delete(key: string): this {
    return this.write(key, () => ({ value: null, lease: null }));
  }

  /**
   * Lets the writes go through only if a key stands so.
   *
   * @throws InvalidTransactionError for a key or an expectation that makes no sense
   */
  expect(key: string, expected: Expectation): this {
    this.assertOpen();
    const whole = this.ground.keys.toRead(key);
    this.expectations.set(keyId(whole), KeyExpectation.of(key, whole, expected));
    return this;
  }

  /**
   * Sends it, in one transaction. An answer that is lost is settled: what is told is what became
   * of it.
   *
   * @throws InvalidTransactionError for an empty batch, and for one that was sent
   * @throws TransactionTooLargeError for more than 128 writes or conditions, before anything is sent
   * @throws StaleFenceError if it is fenced and a fence no longer stands
   * @throws WriteOutcomeUnknownError if etcd did not answer for as long as a write may take
   */
  async commit(): Promise<BatchResult> {
    this.assertOpen();
    if (this.writes.size === 0 && this.expectations.size === 0) {
      throw new InvalidTransactionError('A batch is empty; put, delete or expect something.');
    }
    this.isOver = true;
    const { committer } = this.ground;
    const outcome = await committer.commit(this.plan(), this.guard);
    const { revision } = outcome;
    if (outcome.applied) return { succeeded: true, revision };
    return { succeeded: false, revision, unmet: this.unmet(outcome.reads ?? []) };
  }

  private unmet(answers: readonly { kvs: WatchedKv[] }[]): Map<string, WatchedValue | null> {
    const unmet = new Map<string, WatchedValue | null>();
    for (const [index, expectation] of [...this.expectations.values()].entries()) {
      const answer = answers[index];
      if (!answer || expectation.isMetBy(answer.kvs[0])) continue;
      const [kv] = answer.kvs;
      unmet.set(expectation.name, kv ? WatchedValue.of(expectation.name, kv) : null);
    }
    return unmet;
  }

  private plan(): CommitPlan {
    const expectations = [...this.expectations.values()];
    const names = [...this.writes.values()].map(({ name }) => JSON.stringify(name));
    return {
      what: `a write of ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' and others' : ''}`,
      compare: expectations.map(({ compare }) => compare),
      writes: [...this.writes.values()],
      reads: expectations.map(({ key }) => ({ key })),
    };
  }

  private write(key: string, what: () => Pick<PlannedWrite, 'value' | 'lease'>): this {
    this.assertOpen();
    const whole = this.ground.keys.toWrite(key);
    this.writes.set(keyId(whole), { key: whole, name: key, ...what() });
    return this;
  }

  private assertOpen(): void {
    if (!this.isOver) return;
    throw new InvalidTransactionError('A batch can be committed once; begin another with batch().');
  }
}

type WatchedKv = Parameters<typeof WatchedValue.of>[1];
