import type { ITxnRequest, ITxnResponse } from 'etcd3';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { newestFenceKey } from '../client/keys.js';
import { type Fence, localGrantOf } from '../context/fence.js';
import { StaleFenceError } from '../context/stale-fence.error.js';
import { MAX_TOKEN, numbersFault } from './fence-codec.js';
import { FenceLedgerError, FenceUncheckedError, InvalidFenceError } from './fence.errors.js';

/** What a {@link FenceLedger} is made of. */
export interface FenceLedgerParts {
  readonly client: EtcdClient;
  readonly namespace: string;
}

/**
 * Tokens are filled up with zeros to this width, so that etcd, which compares bytes, compares numbers.
 * One zero more than the largest has need of: so a number written by hand sorts behind every entry.
 */
const DIGITS = MAX_TOKEN.toString().length + 1;
const ENTRY = new RegExp(`^0[0-9]{${DIGITS - 1}}$`);
/** Sorts before every entry and after every text with fewer zeros at its start. */
const BELOW_ALL = '0'.repeat(DIGITS - 1);

/**
 * Remembers in etcd the newest fence that was seen of each resource, for all instances and across
 * their restarts, and refuses an older one. It is what stands behind `@RequireFence`, to be asked by
 * hand where a decorator does not fit.
 */
export class FenceLedger {
  constructor(private readonly parts: FenceLedgerParts) {}

  /**
   * Resolves if no newer fence of its resource has been seen by anybody; from then on an older one is
   * refused everywhere.
   *
   * In etcd one transaction on `<namespace>/fence/<resource>/newest`, which writes only when the fence
   * is newer than what stands there. An answer that was lost does no harm: observing a fence again
   * leaves the same behind as observing it once, so the transaction is repeated; and where a newer
   * fence came in between, the repetition is refused, as nothing has run under this one yet.
   *
   * @throws {StaleFenceError} if a newer one has been seen, or it is of a lock of this process that was lost
   * @throws {InvalidFenceError} if it is no fence
   * @throws {FenceLedgerError} if what etcd keeps was not written by this library
   * @throws {FenceUncheckedError} if etcd could not be asked
   */
  async observe(fence: Fence): Promise<void> {
    const { resource, token } = fence;
    const fault = numbersFault(token, fence.revision);
    if (fault !== null) throw new InvalidFenceError(fault);
    if (localGrantOf(fence)?.isValid() === false) throw new StaleFenceError(resource, token);

    const { client, namespace } = this.parts;
    const key = newestFenceKey(namespace, resource);
    let answer: ITxnResponse;
    try {
      answer = await client.txn(observation(key, entryOf(token)), { repeatable: true });
    } catch (error) {
      if (error instanceof EtcdCoordinationError) throw new FenceUncheckedError(resource, error);
      throw error;
    }
    const seen = seenIn(answer);
    if (seen === null) return;
    const text = seen.toString('latin1');
    if (!ENTRY.test(text)) throw new FenceLedgerError(resource, key, seen);
    const newest = BigInt(text);
    if (newest > token) throw new StaleFenceError(resource, token, newest);
  }
}

function entryOf(token: bigint): string {
  return token.toString().padStart(DIGITS, '0');
}

/**
 * Four cases, each decided by comparisons in etcd: newer seen, the same seen, none seen, older seen.
 * A key that is not there makes every comparison of its value fail. What stands there is read where it
 * is not known to be an entry of ours, and only what sorts among the entries is ever replaced: what
 * does and is none was made of an entry by hand, and is found as it goes.
 */
function observation(key: string, entry: string): ITxnRequest {
  const name = Buffer.from(key);
  const read = { request_range: { key: name } };
  const write = { request_put: { key: name, value: Buffer.from(entry) } };
  const value = (result: 'Greater' | 'Equal', other: string) => ({
    key: name,
    target: 'Value' as const,
    result,
    value: Buffer.from(other),
  });
  return {
    compare: [value('Greater', entry)],
    success: [read],
    failure: [
      {
        request_txn: {
          compare: [value('Equal', entry)],
          success: [],
          failure: [
            {
              request_txn: {
                compare: [{ key: name, target: 'Create', result: 'Equal', create_revision: '0' }],
                success: [write],
                failure: [
                  {
                    request_txn: {
                      compare: [value('Greater', BELOW_ALL)],
                      success: [read, write],
                      failure: [read],
                    },
                  },
                ],
              },
            },
          ],
        },
      },
    ],
  };
}

/** What stood in etcd, where the branch that was taken has read it. */
function seenIn({ responses }: ITxnResponse): Buffer | null {
  for (const { response_range: range, response_txn: nested } of responses) {
    if (nested) return seenIn(nested);
    if (range) return range.kvs[0]?.value ?? null;
  }
  return null;
}
