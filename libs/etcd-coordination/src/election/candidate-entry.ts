import { randomUUID } from 'node:crypto';
import type { IKeyValue, ITxnRequest } from 'etcd3';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import type { CallSettings } from '../client/caller.js';
import { EtcdNoSpaceError, WriteOutcomeUnknownError } from '../client/etcd.errors.js';
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

type Compare = NonNullable<ITxnRequest['compare']>[number];

/** A request to enter gets this part of the time for a registration; there is time for others at other members. */
const ENTRY_SHARES = 3;

/** Where a candidate enters, and as whom. */
export interface EntryPlace {
  readonly client: EtcdClient;
  readonly namespace: string;
  readonly election: string;
  readonly instanceId: string;
}

/**
 * The key of one candidate: put once, under a lease, and deleted once. Both writes compare
 * first, so that asking again after a lost answer can neither enter twice nor delete what
 * somebody else has put there since; an entry that is asked again reads back its own mark.
 */
export class CandidateEntry {
  readonly key: string;
  /** The revision at which the key was created, once that is known: the term's epoch to be. */
  createRevision: bigint | null = null;
  private readonly mark = randomUUID();
  private asked = false;
  /** A request to enter was sent and not answered; it may be applied at any time. */
  private unanswered = false;
  private modRevision = '0';
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

  /** Whether the key may be put after it was deleted. */
  get mayComeLate(): boolean {
    return this.unanswered;
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
    try {
      const { header, succeeded, responses } = await this.askToEnter();
      if (succeeded) return this.entered(header.revision, header.revision, value);
      // An earlier request of ours was applied and its answer lost, if it is our mark that stands.
      const standing = this.found(responses[0]?.response_range?.kvs[0]);
      if (standing === null) throw new KeyTakenError(this.key);
      return standing;
    } catch (error) {
      if (!(error instanceof EtcdNoSpaceError)) throw error;
      // The last that a full database has taken may be this very key: standing unknown, it would be in the way.
      const { kvs } = await this.place.client.range({ key: Buffer.from(this.key) });
      const standing = this.found(kvs[0]);
      if (standing === null) throw error;
      return standing;
    }
  }

  /** Takes over what stands there, if it is this entry's own. */
  private found(kv: IKeyValue | undefined): bigint | null {
    const record = kv && decodeRecord(kv.value);
    if (record?.mark !== this.mark) return null;
    return this.entered(kv!.create_revision, kv!.mod_revision, record.value);
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
    // Whatever stands there on this lease was put by this entry, be it by a late request.
    const compare =
      this.createRevision === null || this.unanswered
        ? ({ target: 'Lease', lease: this.lease.id } as const)
        : this.isStanding();
    await this.txn([compare], [{ request_delete_range: { key: Buffer.from(this.key) } }]);
  }

  /**
   * One request, sent once. Were it repeated at another member, the first could be applied
   * after the key was deleted again, and put it back.
   */
  private async askToEnter() {
    const timeoutMs = this.place.client.options.timeouts.registration / ENTRY_SHARES;
    try {
      return await this.txn(
        [{ target: 'Create', create_revision: '0' }],
        [{ request_put: this.putRequest() }],
        [{ request_range: { key: Buffer.from(this.key) } }],
        { repeatable: false, timeoutMs },
      );
    } catch (error) {
      this.unanswered ||= error instanceof WriteOutcomeUnknownError;
      throw error;
    }
  }

  private entered(createRevision: string, modRevision: string, value: string): bigint {
    this.told = value;
    this.modRevision = modRevision;
    return (this.createRevision = BigInt(createRevision));
  }

  private async tell(): Promise<void> {
    while (this.createRevision !== null && this.value !== this.told) {
      const { value } = this;
      // Compared with the last revision too: an older value must not be applied after a newer one.
      const { header, succeeded, responses } = await this.txn(
        [this.isStanding(), { target: 'Mod', mod_revision: this.modRevision }],
        [{ request_put: this.putRequest() }],
        [{ request_range: { key: Buffer.from(this.key) } }],
      );
      const [found] = responses[0]?.response_range?.kvs ?? [];
      if (succeeded) this.entered(this.createRevision.toString(), header.revision, value);
      else if (found?.create_revision !== this.createRevision.toString()) return;
      else this.entered(found.create_revision, found.mod_revision, decodeRecord(found.value).value);
    }
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
    compare: readonly Partial<Compare>[],
    success: NonNullable<ITxnRequest['success']>,
    failure: ITxnRequest['failure'] = [],
    settings: CallSettings = {
      repeatable: true,
      timeoutMs: this.place.client.options.timeouts.registration,
    },
  ) {
    const key = Buffer.from(this.key);
    const guards = compare.map((guard) => ({ ...guard, result: 'Equal' as const, key }));
    return this.place.client.txn({ compare: guards, success, failure }, settings);
  }
}
