import { randomUUID } from 'node:crypto';
import type { ITxnRequest } from 'etcd3';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { candidateKey } from '../client/keys.js';
import type { SessionLease } from '../session/session-lease.js';
import { decodeRecord, encodeRecord } from './candidate-record.js';

/** Somebody else has put the key of a candidate, by hand it seems. */
export class KeyTakenError extends EtcdCoordinationError {
  constructor(key: string) {
    super(
      'CANDIDATE_KEY_TAKEN',
      `The key ${key} of this candidate was put by somebody else; the candidate enters under another one.`,
    );
  }
}

/** Where a candidate enters, and as whom. */
export interface EntryPlace {
  readonly client: EtcdClient;
  readonly namespace: string;
  readonly election: string;
  readonly instanceId: string;
}

/**
 * The key of one candidate: put once, under a lease, and deleted once. Both writes compare
 * first, so that repeating one whose answer was lost can neither enter twice nor delete
 * what somebody else has put there since; a repeated entry reads back its own mark.
 */
export class CandidateEntry {
  readonly key: string;
  /** The revision at which the key was created, once that is known: the term's epoch to be. */
  createRevision: bigint | null = null;
  private readonly mark = randomUUID();
  private asked = false;
  /** What the key is known to say; null if that is not known. */
  private told: string | null = null;
  /** The last {@link proclaim}, so that they are applied in order. */
  private telling: Promise<void> = Promise.resolve();

  constructor(
    private readonly place: EntryPlace,
    readonly lease: SessionLease,
    sequence: number,
    private value: string,
  ) {
    const { namespace, election } = place;
    this.key = candidateKey(namespace, election, { leaseId: BigInt(lease.id), sequence });
  }

  /** Whether the key may be in etcd. */
  get mayStand(): boolean {
    return this.asked;
  }

  /**
   * Puts the key.
   *
   * @throws LeaseNotFoundError if the lease is gone, KeyTakenError if somebody else has put
   *   that key, and others if it is not known whether it stands; asking again settles it
   */
  async enter(): Promise<bigint> {
    this.asked = true;
    const { value } = this;
    const { header, succeeded, responses } = await this.txn(
      { target: 'Create', create_revision: '0' },
      [{ request_put: this.putRequest() }],
      [{ request_range: { key: Buffer.from(this.key) } }],
    );
    if (succeeded) return this.entered(header.revision, value);
    // An earlier request of ours was applied and its answer lost, if it is our mark that stands.
    const [found] = responses[0]?.response_range?.kvs ?? [];
    const record = found && decodeRecord(found.value);
    if (record?.mark !== this.mark) throw new KeyTakenError(this.key);
    return this.entered(found!.create_revision, record.value);
  }

  /**
   * Changes what the candidate says of itself; its place in the queue stays. An entry that
   * is under way has its old value yet: to be asked again once it stands.
   */
  proclaim(value: string): Promise<void> {
    this.value = value;
    const telling = this.telling.then(() => this.tell());
    this.telling = telling.catch(() => undefined);
    return telling;
  }

  /** Deletes the key, if it is still this candidate's. */
  async withdraw(): Promise<void> {
    if (!this.asked) return;
    const compare =
      this.createRevision === null
        ? ({ target: 'Lease', lease: this.lease.id } as const)
        : this.isStanding();
    await this.txn(compare, [{ request_delete_range: { key: Buffer.from(this.key) } }]);
  }

  private entered(createRevision: string, value: string): bigint {
    this.told = value;
    return (this.createRevision = BigInt(createRevision));
  }

  private async tell(): Promise<void> {
    const { value } = this;
    if (this.createRevision === null || value === this.told) return;
    this.told = null;
    await this.txn(this.isStanding(), [{ request_put: this.putRequest() }]);
    this.told = value;
  }

  private isStanding() {
    return { target: 'Create', create_revision: this.createRevision!.toString() } as const;
  }

  private putRequest() {
    const { instanceId: id } = this.place;
    const value = encodeRecord({ id, value: this.value, mark: this.mark });
    return { key: Buffer.from(this.key), value, lease: this.lease.id };
  }

  private txn(
    compare: Partial<NonNullable<ITxnRequest['compare']>[number]>,
    success: ITxnRequest['success'],
    failure: ITxnRequest['failure'] = [],
  ) {
    const guard = { ...compare, result: 'Equal' as const, key: Buffer.from(this.key) };
    return this.place.client.txn(
      { compare: [guard], success: success!, failure },
      { repeatable: true, timeoutMs: this.place.client.options.timeouts.registration },
    );
  }
}
