import type { ICompare, IRequestOp, IResponseOp } from 'etcd3';
import { localGrantOf, type Fence, type LocalGrant } from '../context/fence.js';
import { currentFence } from '../context/ownership-context.js';
import { StaleFenceError } from '../context/stale-fence.error.js';
import { shown } from './transaction-options.js';
import { InvalidTransactionError, NoFenceError } from './transaction.errors.js';

interface GuardingFence {
  readonly resource: string;
  readonly token: bigint;
  readonly revision: bigint;
  readonly key: Buffer;
  readonly grant: LocalGrant | null;
}

/**
 * What a transaction's fences ask of it: that each one's key in etcd is the one that it was granted
 * with, in the same transaction; and for a grant of this process that shares its key with later
 * ones, that it stands here, from before the write is sent until it is settled.
 */
export class FenceGuard {
  /** Guards nothing. */
  static readonly none = new FenceGuard([]);

  private constructor(private readonly fences: readonly GuardingFence[]) {}

  /**
   * @throws NoFenceError if none is given and none is current
   * @throws InvalidTransactionError for what is no fence
   */
  static of(given: Fence | readonly Fence[] | undefined): FenceGuard {
    if (given === undefined) {
      const current = currentFence();
      if (!current) throw new NoFenceError();
      return new FenceGuard([guarding(current)]);
    }
    const fences = (Array.isArray(given) ? given : [given]) as readonly Fence[];
    if (fences.length === 0) throw new NoFenceError();
    return new FenceGuard(fences.map(guarding));
  }

  get count(): number {
    return this.fences.length;
  }

  /** Hold while every fence stands. */
  compares(): ICompare[] {
    return this.fences.map(({ key, revision }) => ({
      key,
      target: 'Create',
      result: 'Equal',
      create_revision: revision.toString(),
    }));
  }

  /** Tell, when a comparison has failed, whether it was a fence's. */
  reads(): IRequestOp[] {
    return this.fences.map(({ key }) => ({ request_range: { key, keys_only: true } }));
  }

  /**
   * Refuses what etcd has answered to {@link reads} if a fence does not stand.
   *
   * @throws StaleFenceError
   */
  assertStands(answers: readonly IResponseOp[]): void {
    for (const [index, fence] of this.fences.entries()) {
      const created = answers[index]!.response_range.kvs[0]?.create_revision ?? '0';
      if (BigInt(created) !== fence.revision) throw stale(fence);
    }
  }

  /**
   * Refuses a grant of this process that is over by the clock.
   *
   * @throws StaleFenceError
   */
  assertValid(): void {
    for (const fence of this.fences) if (fence.grant?.isValid() === false) throw stale(fence);
  }

  /** Runs `write` so that no grant of this process passes its key on before it is settled. */
  run<T>(write: () => Promise<T>): Promise<T> {
    this.assertValid();
    return this.fences.reduce(
      (inner, { grant }) => (grant ? () => grant.guard(inner) : inner),
      write,
    )();
  }
}

function guarding(fence: Fence): GuardingFence {
  if (typeof fence !== 'object' || fence === null) {
    throw new InvalidTransactionError(
      `A fence is ${shown(fence)}; give that of a term or a lock, such as lock.fence.`,
    );
  }
  const { resource, token, revision } = fence;
  // Reading the key of a local grant's fence would count as handing it to another process.
  const grant = localGrantOf(fence);
  const key = grant ? grant.key : fence.key;
  const isFence =
    typeof resource === 'string' &&
    typeof token === 'bigint' &&
    typeof revision === 'bigint' &&
    revision > 0n &&
    revision < 2n ** 63n &&
    typeof key === 'string' &&
    key !== '';
  if (!isFence) {
    throw new InvalidTransactionError(
      'A fence lacks its resource, key, revision or token; give that of a term or a lock as it is, such as lock.fence.',
    );
  }
  return { resource, token, revision, key: Buffer.from(key), grant };
}

function stale({ resource, token }: GuardingFence): StaleFenceError {
  return new StaleFenceError(resource, token);
}
