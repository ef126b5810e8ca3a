import { randomUUID } from 'node:crypto';
import type { IKeyValue, ITxnRequest } from 'etcd3';
import { pause } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import {
  EtcdNoSpaceError,
  LeaseExistsError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { verdictKey } from '../client/keys.js';
import { retryDelay } from '../client/retry-delay.js';
import { randomLeaseId } from '../session/lease-id.js';
import { DAY_MS } from './day.js';
import { isObject } from './json-record.js';
import { optionalText, refuseUnknown, wrong } from './option-faults.js';
import type { MarkOptions } from './registration-options.js';
import { OWN_SOURCE, PROBE_SOURCE } from './service-instance.js';
import { assertInstanceId, assertServiceName } from './validate-registration.js';
import { decodeVerdictRecord, encodeVerdictRecord } from './verdict-record.js';

const MAX_REASON_BYTES = 1024;
const STATES: readonly MarkOptions['state'][] = ['down', 'draining'];
/** What an instance says of itself, and what a prober says of it: nobody's marks. */
const TAKEN_SOURCES = [OWN_SOURCE, PROBE_SOURCE];
/** Whose options these are. */
const MARK = 'a mark';
/** How often a mark is put when others change it at the same time, or answers are lost. */
const ATTEMPTS = 5;
const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };

/** What marks stand on. */
export interface MarksGround {
  readonly client: EtcdClient;
  readonly namespace: string;
  /** The process that says so. */
  readonly instanceId: string;
}

/**
 * What an outside monitor or an operator says of an instance's health, for a span: each a key on a
 * lease of its own that nobody keeps alive, so that it ends by itself, whatever becomes of its author.
 */
export class Marks {
  constructor(private readonly ground: MarksGround) {}

  /** As `ServiceRegistry.mark`. */
  async mark(service: string, instanceId: string, options: MarkOptions): Promise<void> {
    const { state, reason, forMs } = readMark(options);
    const key = this.keyOf(service, instanceId, options.source);
    const id = randomLeaseId();
    try {
      await this.grant(id, Math.ceil(forMs / 1000));
      const mark = randomUUID();
      const by = this.ground.instanceId;
      const value = encodeVerdictRecord({ state, reason, by, mark, ownLease: id });
      const request_put = { key, value, lease: id };
      await this.replace(key, { request_put }, (found) => isMark(found, mark));
    } catch (error) {
      // Should the mark come late, it finds no lease. But where it may have replaced another one,
      // nothing would be left of either.
      const isInDoubt = error instanceof WriteOutcomeUnknownError && !(await this.isAbsent(key));
      if (!isInDoubt) await this.revoke(id);
      throw error;
    }
  }

  /** As `ServiceRegistry.unmark`. */
  async unmark(service: string, instanceId: string, source?: string): Promise<void> {
    const key = this.keyOf(service, instanceId, source);
    await this.replace(key, { request_delete_range: { key } }, (found) => !found);
  }

  private keyOf(service: unknown, instanceId: unknown, given: unknown): Buffer {
    const source = assertInstanceId(given ?? this.ground.instanceId, 'source', MARK);
    if (TAKEN_SOURCES.includes(source)) {
      throw wrong(
        'source',
        source,
        'that is whose word it is not; name the monitor or the operator',
        MARK,
      );
    }
    const id = assertInstanceId(instanceId, 'instanceId', MARK);
    const key = verdictKey(this.ground.namespace, assertServiceName(service, MARK), id, source);
    return Buffer.from(key);
  }

  /**
   * Writes unless the key has changed since it was read; then it is read again.
   *
   * @throws WriteOutcomeUnknownError if it may have been written, or may yet be
   */
  private async replace(
    key: Buffer,
    write: NonNullable<ITxnRequest['success']>[number],
    isDone: (found: IKeyValue | undefined) => boolean,
  ): Promise<void> {
    let found = await this.read(key);
    let before = found;
    for (let attempt = 1; !isDone(found); attempt++) {
      before = found;
      const outcome = await this.tryToWrite(key, write, found);
      if (outcome === 'written') break;
      found = outcome === 'changed' ? await this.read(key) : await this.settle(key, outcome);
      if (isDone(found)) break;
      if (outcome instanceof EtcdNoSpaceError) throw outcome;
      if (attempt < ATTEMPTS) continue;
      if (outcome !== 'changed') throw outcome;
      throw new WriteOutcomeUnknownError(`The mark ${key.toString()}`, 'it goes on changing');
    }
    // Only a lease that was granted for the mark alone: others may have much on theirs.
    const ownLease = before && decodeVerdictRecord(before.value)?.ownLease;
    if (ownLease && ownLease === before?.lease) await this.revoke(ownLease);
  }

  /** Whether it was written, or nothing as the key has changed, or why that is not known. */
  private async tryToWrite(
    key: Buffer,
    write: NonNullable<ITxnRequest['success']>[number],
    found: IKeyValue | undefined,
  ): Promise<'written' | 'changed' | Error> {
    try {
      return (await this.write(key, write, found)) ? 'written' : 'changed';
    } catch (error) {
      // A full database may have applied it all the same.
      if (error instanceof EtcdNoSpaceError || error instanceof WriteOutcomeUnknownError)
        return error;
      throw error;
    }
  }

  /** Reads what became of a write, however often that takes, within reason. */
  private async settle(key: Buffer, doubt: Error): Promise<IKeyValue | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.read(key);
      } catch (error) {
        if (attempt === ATTEMPTS || isFinalFailure(error)) {
          if (doubt instanceof WriteOutcomeUnknownError) throw doubt;
          const what = `The mark ${key.toString()}`;
          throw new WriteOutcomeUnknownError(what, 'it cannot be read back', error);
        }
        await pause(this.ground.client.clock, retryDelay(attempt, RETRY));
      }
    }
  }

  private async isAbsent(key: Buffer): Promise<boolean> {
    try {
      return (await this.read(key)) === undefined;
    } catch {
      return false;
    }
  }

  private async write(
    key: Buffer,
    write: NonNullable<ITxnRequest['success']>[number],
    found: IKeyValue | undefined,
  ): Promise<boolean> {
    const mod_revision = found?.mod_revision ?? '0';
    const unchanged = { target: 'Mod', result: 'Equal', key, mod_revision } as const;
    const request = { compare: [unchanged], success: [write], failure: [] };
    return (await this.ground.client.txn(request, { repeatable: false })).succeeded;
  }

  private async read(key: Buffer): Promise<IKeyValue | undefined> {
    return (await this.ground.client.range({ key })).kvs[0];
  }

  private async grant(id: string, ttlSeconds: number): Promise<void> {
    try {
      await this.ground.client.leaseGrant(id, ttlSeconds);
    } catch (error) {
      // The id is random, so it is ours: an earlier request was taken and its answer lost.
      if (!(error instanceof LeaseExistsError)) throw error;
    }
  }

  /** It runs out by itself at the latest. */
  private async revoke(id: string): Promise<void> {
    await this.ground.client.leaseRevoke(id).catch(() => undefined);
  }
}

function isMark(found: IKeyValue | undefined, mark: string): boolean {
  return found !== undefined && decodeVerdictRecord(found.value)?.mark === mark;
}

function readMark(given: unknown) {
  if (!isObject(given)) throw wrong('mark', given, `give { state: 'down', reason, forMs }`, MARK);
  refuseUnknown('mark.', given, ['state', 'reason', 'forMs', 'source'], MARK);
  const state = STATES.find((known) => known === given['state']);
  if (!state) throw wrong('mark.state', given['state'], `give one of ${STATES.join(', ')}`, MARK);
  const { forMs } = given;
  if (typeof forMs !== 'number' || !(forMs > 0 && forMs <= DAY_MS)) {
    throw wrong('mark.forMs', forMs, 'give milliseconds, a day (86400000) at the most', MARK);
  }
  return {
    state,
    reason: optionalText('mark.reason', given['reason'], MAX_REASON_BYTES, MARK),
    forMs,
  };
}
