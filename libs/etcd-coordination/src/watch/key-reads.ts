import type { IRangeResponse } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdPermissionDeniedError } from '../client/etcd.errors.js';

/** etcd takes 128 operations in a transaction, unless it is told otherwise. */
const AT_ONCE = 100;

/** While so many calls are under way, what is asked for gathers for the next one. */
const CALLS = 2;

interface Read {
  readonly key: Buffer;
  readonly keysOnly: boolean;
  readonly resolve: (response: IRangeResponse) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads single keys, those that are asked for at about the same time in one call: ten
 * thousand watched keys are a hundred calls or so.
 */
export class KeyReads {
  private readonly waiting: Read[] = [];
  private calls = 0;

  constructor(private readonly client: EtcdClient) {}

  read(key: Buffer, keysOnly: boolean): Promise<IRangeResponse> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ key, keysOnly, resolve, reject });
      if (this.waiting.length === 1) setImmediate(() => void this.flush());
    });
  }

  private async flush(): Promise<void> {
    if (this.calls >= CALLS || this.waiting.length === 0) return;
    this.calls += 1;
    const reads = this.waiting.splice(0, AT_ONCE);
    if (this.waiting.length > 0) void this.flush();
    await this.send(reads);
    this.calls -= 1;
    void this.flush();
  }

  private async send(reads: readonly Read[]): Promise<void> {
    if (reads.length === 1) return this.alone(reads[0]!);
    try {
      const { header, responses } = await this.client.txn({
        compare: [],
        success: reads.map((read) => ({ request_range: toRequest(read) })),
        failure: [],
      });
      for (const [index, { resolve }] of reads.entries()) {
        // The answers within a transaction say neither whose they are nor when they were.
        resolve({ ...responses[index]!.response_range, header });
      }
    } catch (error) {
      // One key that may not be read is no reason to refuse the others.
      if (error instanceof EtcdPermissionDeniedError) for (const read of reads) this.alone(read);
      else for (const { reject } of reads) reject(error);
    }
  }

  private alone(read: Read): void {
    this.client.range(toRequest(read)).then(read.resolve, read.reject);
  }
}

function toRequest({ key, keysOnly }: Read) {
  return { key, ...(keysOnly && { keys_only: true }) };
}
