import type { IKeyValue, IRangeRequest, IRangeResponse } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { MAX_OPERATIONS } from './committer.js';
import { readTogether } from './read-together.js';

/** What a read found. */
export interface ReadAnswer {
  readonly kvs: readonly IKeyValue[];
  /** Whether there are more keys than were asked for. */
  readonly more: boolean;
  /** The revision as of which this is so. */
  readonly revision: bigint;
}

/** Answers that came with a failed commit: its next attempt need not ask for them. */
export interface Prefetched {
  readonly revision: bigint;
  readonly answers: ReadonlyMap<string, IRangeResponse>;
}

interface Waiting {
  readonly request: IRangeRequest;
  readonly resolve: (answer: ReadAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads for one attempt of a transaction, those asked for in one turn in one call. All of them
 * linearizable, as a member that lags behind would show what was long overwritten.
 */
export class SnapshotReader {
  private waiting: Waiting[] = [];
  private flushing: Promise<void> | null = null;
  private snapshot: bigint | null;

  constructor(
    private readonly client: EtcdClient,
    /** Whether every read is as of the revision of the first. */
    private readonly pinned: boolean,
    private readonly prefetched: Prefetched | null,
  ) {
    this.snapshot = pinned && prefetched ? prefetched.revision : null;
  }

  read(request: IRangeRequest): Promise<ReadAnswer> {
    const ready = this.prefetched?.answers.get(requestId(request));
    if (ready) {
      return Promise.resolve({ ...ready, revision: this.prefetched!.revision });
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ request, resolve, reject });
      this.flushing ??= Promise.resolve().then(() => this.flush());
    });
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MAX_OPERATIONS);
      try {
        await this.send(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.flushing = null;
  }

  private async send(batch: readonly Waiting[]): Promise<void> {
    const at = this.snapshot === null ? {} : { revision: this.snapshot.toString() };
    const requests = batch.map(({ request }) => ({ ...request, ...at }));
    const { answers, revision } = await readTogether(this.client, requests);
    this.answer(batch, answers, revision);
  }

  private answer(
    batch: readonly Waiting[],
    answers: readonly Omit<IRangeResponse, 'header'>[],
    headerRevision: string,
  ): void {
    const revision = this.snapshot ?? BigInt(headerRevision);
    if (this.pinned) this.snapshot = revision;
    for (const [index, { resolve }] of batch.entries()) {
      const { kvs, more } = answers[index]!;
      resolve({ kvs, more, revision });
    }
  }
}

/** Tells requests apart. */
export function requestId({ key, range_end: end, limit }: IRangeRequest): string {
  return `${key!.toString('latin1')}\0${end?.toString('latin1') ?? ''}\0${limit ?? ''}`;
}
