import { randomUUID } from 'node:crypto';
import type { IKeyValue, ITxnRequest } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdNoSpaceError, WriteOutcomeUnknownError } from '../client/etcd.errors.js';
import type { SessionLease } from '../session/session-lease.js';
import { decodeInstanceRecord } from './instance-record.js';

/** What became of an attempt to put the key. */
export type PutOutcome =
  | { readonly kind: 'stands' }
  /** Somebody else's record stands there, and was left alone. */
  | { readonly kind: 'taken'; readonly by: IKeyValue };

/** A first put gets this part of the time for a registration: it is sent once, at one member. */
const ENTRY_SHARES = 3;
/** An answer that was lost may be of a request that etcd still holds: for some 7 s. */
export const LATE_ENTRY_MS = 10_000;
/** How often the key may be found changed in one go. */
const MOST_LOOKS = 5;
const ABSENT = '0';

/**
 * The key of one registration, and what is known of it. Every write compares the key's revision with
 * the last one known, so asking again after a lost answer neither applies it twice nor goes over what
 * somebody else has put there since; and a mark in the record, the same for as long as the
 * registration lasts, tells its own writes from those of others.
 */
export class InstanceEntry {
  readonly mark = randomUUID();
  /** The revision at which the key was registered, or null if it is not known to stand. */
  createRevision: bigint | null = null;
  /** The last lease that the key was asked to be put on: once that is over, the key is, too. */
  lease: SessionLease | null = null;
  private modRevision = ABSENT;
  /** What it is known to say, and on which lease. */
  private told: { readonly value: Buffer; readonly lease: string } | null = null;
  private asked = false;
  /** Whether a put was asked for whose answer never came, and nobody has looked since. */
  private uncertain = false;
  /** When the last request to create the key was sent whose answer was lost. */
  private unansweredAt = -Infinity;
  private readonly bytes: Buffer;

  constructor(
    private readonly client: EtcdClient,
    readonly key: string,
  ) {
    this.bytes = Buffer.from(key);
  }

  /** Whether the key may be in etcd. */
  get mayStand(): boolean {
    return this.createRevision !== null || this.uncertain || this.mayComeLate;
  }

  /** Whether the key may be put yet after it was deleted. */
  get mayComeLate(): boolean {
    return this.client.clock.now() - this.unansweredAt < LATE_ENTRY_MS;
  }

  /** The revision of what the key is known to say; 0 if it is not known to stand. */
  get revision(): bigint {
    return BigInt(this.modRevision);
  }

  /** Whether the key is known to say that, on that lease. */
  says(value: Buffer, lease: SessionLease): boolean {
    return this.isOn(lease) && this.told!.value.equals(value);
  }

  /** Whether the key is known to be on that lease. */
  isOn(lease: SessionLease): boolean {
    return this.told?.lease === lease.id;
  }

  /** Whether that is what this registration has put. */
  isOwn(kv: IKeyValue): boolean {
    return decodeInstanceRecord(kv.value)?.mark === this.mark;
  }

  /**
   * Puts the key, or changes what it says, or moves it to another lease.
   *
   * @param over what stands there and may be put over, though it is not this registration's
   * @throws LeaseNotFoundError if the lease is gone, and others if it is not known whether the key
   *   stands so; asking again settles it
   */
  async put(value: Buffer, lease: SessionLease, over?: IKeyValue): Promise<PutOutcome> {
    this.lease = lease;
    this.asked = true;
    for (let looks = 1; ; looks++) {
      const found = await this.tryToPut(value, lease, looks === 1 ? over : undefined);
      if (found === 'done') return { kind: 'stands' };
      this.adopt(found);
      if (found && this.createRevision === null) return { kind: 'taken', by: found };
      if (this.says(value, lease)) return { kind: 'stands' };
      if (looks === MOST_LOOKS) {
        throw new WriteOutcomeUnknownError(`A put of ${this.key}`, 'somebody goes on changing it');
      }
    }
  }

  /** Changes what the key says, once, if it stands as it is known to. */
  async change(value: Buffer): Promise<void> {
    if (this.createRevision === null || !this.lease) return;
    const found = await this.tryToPut(value, this.lease, undefined);
    if (found !== 'done') this.adopt(found);
  }

  /** Reads the key, and takes over what it says. Gives what stands there if that is somebody else's. */
  async look(): Promise<IKeyValue | null> {
    const { kvs } = await this.client.range({ key: this.bytes });
    this.adopt(kvs[0]);
    return this.createRevision === null ? (kvs[0] ?? null) : null;
  }

  /** Deletes the key, if what stands there is this registration's. */
  async withdraw(): Promise<void> {
    if (!this.asked) return;
    if (this.createRevision === null) await this.look();
    for (let looks = 1; this.createRevision !== null; looks++) {
      const deletion = { request_delete_range: { key: this.bytes } };
      // Applied twice it deletes once.
      const { succeeded, responses } = await this.txn(this.modRevision, deletion, {
        repeatable: true,
        timeoutMs: this.client.options.timeouts.registration,
      });
      this.adopt(succeeded ? undefined : responses[0]?.response_range?.kvs[0]);
      if (looks === MOST_LOOKS && this.createRevision !== null) {
        throw new WriteOutcomeUnknownError(`The deletion of ${this.key}`, 'it goes on changing');
      }
    }
  }

  private async tryToPut(
    value: Buffer,
    lease: SessionLease,
    over: IKeyValue | undefined,
  ): Promise<'done' | IKeyValue | undefined> {
    const { registration } = this.client.options.timeouts;
    const modRevision = over?.mod_revision ?? this.modRevision;
    const creates = modRevision === ABSENT;
    const put = { request_put: { key: this.bytes, value, lease: lease.id } };
    const sentAt = this.client.clock.now();
    const wasUncertain = this.uncertain;
    this.uncertain = true;
    try {
      const { succeeded, responses, header } = await this.txn(modRevision, put, {
        // What creates is sent once: repeated at another member, the first could be applied after
        // the key was deleted again, and put it back. What names a revision comes too late by then.
        repeatable: !creates,
        timeoutMs: creates ? registration / ENTRY_SHARES : registration,
      });
      this.uncertain = false;
      if (!succeeded) return responses[0]?.response_range?.kvs[0];
      this.createRevision ??= BigInt(over?.create_revision ?? header.revision);
      this.modRevision = header.revision;
      this.told = { value, lease: lease.id };
      return 'done';
    } catch (error) {
      if (creates && error instanceof WriteOutcomeUnknownError) this.unansweredAt = sentAt;
      // What is sent once, and fails otherwise, was not applied: it leaves things as they were.
      else if (creates && !(error instanceof EtcdNoSpaceError)) this.uncertain = wasUncertain;
      if (!(error instanceof EtcdNoSpaceError)) throw error;
      // The last that a full database has taken may be this very put.
      await this.look();
      if (this.says(value, lease)) return 'done';
      throw error;
    }
  }

  /** Takes over what stands there, if it is this registration's own. */
  private adopt(kv: IKeyValue | undefined): void {
    const isOwn = kv !== undefined && this.isOwn(kv);
    this.uncertain = false;
    this.createRevision = isOwn ? BigInt(kv.create_revision) : null;
    this.modRevision = isOwn ? kv.mod_revision : ABSENT;
    this.told = isOwn ? { value: kv.value, lease: kv.lease } : null;
  }

  private txn(
    modRevision: string,
    write: NonNullable<ITxnRequest['success']>[number],
    settings: { readonly repeatable: boolean; readonly timeoutMs: number },
  ) {
    const unchanged = {
      target: 'Mod',
      result: 'Equal',
      key: this.bytes,
      mod_revision: modRevision,
    };
    const request = {
      compare: [unchanged],
      success: [write],
      failure: [{ request_range: { key: this.bytes } }],
    } as ITxnRequest;
    return this.client.txn(request, settings);
  }
}
