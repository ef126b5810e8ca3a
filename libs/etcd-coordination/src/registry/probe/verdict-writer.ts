import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { IKeyValue, ITxnRequest } from 'etcd3';
import { Bell } from '../../client/bell.js';
import type { EtcdClient } from '../../client/etcd-client.js';
import { ClientClosedError, LeaseNotFoundError } from '../../client/etcd.errors.js';
import { isFinalFailure } from '../../client/final-failure.js';
import { retryDelay } from '../../client/retry-delay.js';
import { decodeVerdictRecord, encodeVerdictRecord } from '../verdict-record.js';

const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };
/** After what only somebody else can put right. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };
/** Between two writes of one verdict: two probers that disagree, or a gate that flaps, do not flood etcd. */
const GAP_MS = 500;
const ABSENT = '0';

/** What etcd is known to hold of one instance. */
export interface Standing {
  /** The instance's own key; undefined if it is not registered. */
  readonly instance: IKeyValue | undefined;
  /** The verdict of whoever probed it; undefined if there is none. */
  readonly verdict: IKeyValue | undefined;
}

/** What is to be written: null for nothing, as all is as it should be. */
type Write = { readonly kind: 'put' | 'delete'; readonly request: ITxnRequest } | null;

/**
 * Has the probe's verdict on one instance stand as it should: on the instance's lease while it is
 * down, and nowhere otherwise.
 *
 * It only ever writes over what it has seen: each write compares the revisions of both keys, the
 * verdict's and the instance's own, and reads them if they differ. So a lost answer is settled by
 * asking again, a verdict on a registration that is over is not put, and two probers that hold
 * themselves responsible at the same time do not undo what they have not seen of each other.
 */
export class VerdictWriter {
  private readonly logger = new Logger('ServiceProber');
  private readonly instance: Buffer;
  private readonly verdict: Buffer;
  private readonly bell: Bell;
  private reason: string | null = null;
  private running: Promise<void> | null = null;
  private writtenAt = -Infinity;
  private closed = false;

  constructor(
    private readonly client: EtcdClient,
    /** The process that says so. */
    private readonly by: string,
    keys: { readonly instance: string; readonly verdict: string },
    private seen: Standing,
  ) {
    this.instance = Buffer.from(keys.instance);
    this.verdict = Buffer.from(keys.verdict);
    this.bell = new Bell(client.clock);
  }

  /**
   * Has it stand as that: down for that reason, or, with null, well. What somebody else has made of
   * it is put right.
   *
   * @param standing what etcd holds now, if that has changed
   */
  want(reason: string | null, standing?: Standing): void {
    this.reason = reason;
    if (standing) this.seen = standing;
    this.wake();
  }

  /** Writes nothing more. Resolves when what is under way has ended; what stands stays. */
  async close(): Promise<void> {
    this.closed = true;
    this.bell.ring();
    await this.running;
  }

  private wake(): void {
    if (this.running) return this.bell.ring();
    if (this.closed || !this.next()) return;
    this.running = this.settle().finally(() => {
      this.running = null;
      // It may have changed since the last look.
      this.wake();
    });
  }

  private async settle(): Promise<void> {
    const { clock } = this.client;
    for (let attempt = 1; ; attempt++) {
      const write = this.closed ? null : this.next();
      if (!write) return;
      try {
        if (clock.now() < this.writtenAt + GAP_MS) await this.bell.next(this.writtenAt + GAP_MS);
        else await this.send(write);
        attempt = 0;
      } catch (error) {
        if (error instanceof ClientClosedError) return void (this.closed = true);
        const isFinal = isFinalFailure(error);
        if (attempt === 1) this.tell(write, isFinal, error);
        const delay = retryDelay(attempt, isFinal ? RETRY_SLOWLY : RETRY);
        await this.bell.next(clock.now() + delay);
      }
    }
  }

  private next(): Write {
    const { instance, verdict } = this.seen;
    if (this.reason === null || !instance) {
      return verdict ? { kind: 'delete', request: this.deletion() } : null;
    }
    const stands =
      verdict?.lease === instance.lease && decodeVerdictRecord(verdict.value)?.state === 'down';
    return stands ? null : { kind: 'put', request: this.put(instance.lease, this.reason) };
  }

  private async send({ kind, request }: NonNullable<Write>): Promise<void> {
    // Applied already, it fails its comparisons, and finds what it did.
    const answer = await this.client.txn(request, { repeatable: true });
    const { succeeded, responses, header } = answer;
    if (succeeded) this.writtenAt = this.client.clock.now();
    if (!succeeded) {
      const [instance, verdict] = responses.map(({ response_range }) => response_range?.kvs[0]);
      this.seen = { instance, verdict };
    } else if (kind === 'delete') {
      this.seen = { ...this.seen, verdict: undefined };
    } else {
      const { value, lease } = request.success![0]!.request_put!;
      const verdict = { key: this.verdict, value, lease, mod_revision: header.revision };
      this.seen = { ...this.seen, verdict: verdict as IKeyValue };
    }
  }

  private put(lease: string, reason: string): ITxnRequest {
    const said = { by: this.by, reason, mark: randomUUID(), ownLease: null };
    const value = encodeVerdictRecord({ state: 'down', ...said });
    return this.guarded({ request_put: { key: this.verdict, value, lease } });
  }

  private deletion(): ITxnRequest {
    return this.guarded({ request_delete_range: { key: this.verdict } });
  }

  private guarded(write: NonNullable<ITxnRequest['success']>[number]): ITxnRequest {
    const { instance, verdict } = this.seen;
    const unchanged = (key: Buffer, kv: IKeyValue | undefined) => ({
      ...{ key, target: 'Mod' as const, result: 'Equal' as const },
      mod_revision: kv?.mod_revision ?? ABSENT,
    });
    return {
      compare: [unchanged(this.instance, instance), unchanged(this.verdict, verdict)],
      success: [write],
      failure: [this.instance, this.verdict].map((key) => ({ request_range: { key } })),
    };
  }

  private tell({ kind }: NonNullable<Write>, isFinal: boolean, error: unknown): void {
    // The instance is about to go, or to move to another lease.
    if (error instanceof LeaseNotFoundError) return;
    const what = kind === 'put' ? 'put' : 'deleted';
    const when = isFinal ? 'that is tried again now and then' : 'it is tried again';
    this.logger.warn(
      `The verdict ${this.verdict.toString()} cannot be ${what} yet, ${when}: ${String(error)}`,
    );
  }
}
