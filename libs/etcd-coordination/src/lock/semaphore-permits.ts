import { permitsKey, semaphorePrefix } from '../client/keys.js';
import type { Asker, QueueKind } from './queue-ground.js';
import { InvalidLockOptionError, SemaphorePermitsError } from './lock.errors.js';
import { permitsRule } from './queue-entry.js';

/** The most permits that a semaphore can have. */
const MOST_PERMITS = 1_000_000;

/**
 * Refuses what cannot be a number of permits.
 *
 * @throws {InvalidLockOptionError} naming the semaphore and what the number may be
 */
export function assertPermits(name: string, permits: unknown): asserts permits is number {
  if (Number.isInteger(permits) && Number(permits) >= 1 && Number(permits) <= MOST_PERMITS) return;
  throw new InvalidLockOptionError(
    name,
    'permits',
    `is ${String(permits)}: give an integer from 1 to ${MOST_PERMITS}`,
  );
}

/**
 * How many permits a semaphore has, as etcd keeps it for all processes. It is put at the first use,
 * and each entry compares it, so that nobody enters under another number.
 */
export class SemaphorePermits {
  private readonly key: Buffer;
  private readonly value: Buffer;

  constructor(
    private readonly asker: Asker,
    private readonly name: string,
    private readonly permits: number,
  ) {
    this.key = Buffer.from(permitsKey(asker.namespace, name));
    this.value = Buffer.from(String(permits));
  }

  kind(): QueueKind {
    const { key, value } = this;
    return {
      name: this.name,
      prefix: semaphorePrefix(this.asker.namespace, this.name),
      rule: permitsRule(this.permits),
      condition: {
        permits: this.permits,
        compare: { target: 'Value', result: 'Equal', key, value },
        establish: () => this.establish(),
      },
    };
  }

  /** @throws SemaphorePermitsError if etcd has another number */
  private async establish(): Promise<void> {
    const { key, value } = this;
    const { succeeded, responses } = await this.asker.client.txn(
      {
        compare: [{ target: 'Create', result: 'Equal', key, create_revision: '0' }],
        success: [{ request_put: { key, value } }],
        failure: [{ request_range: { key } }],
      },
      // Put once, it is not put again.
      { repeatable: true, timeoutMs: this.asker.client.options.timeouts.registration },
    );
    if (succeeded) return;
    const [found] = responses[0]!.response_range.kvs;
    if (!found || found.value.equals(value)) return;
    throw new SemaphorePermitsError(
      this.name,
      this.permits,
      Number(found.value.toString()),
      key.toString(),
    );
  }
}
