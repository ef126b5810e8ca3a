import type { Fence } from '../../../../libs/etcd-coordination/src/context/fence.js';
import type { WriteGuard } from '../../check/ownership.js';
import type { Owned } from '../../works/owned/owned.js';
import type { OursSystem } from './ours-system.js';

/** What a lock's grant and a term have in common. */
interface Ownership {
  readonly fence: Fence;
  readonly signal: AbortSignal;
  isValid(): boolean;
}

/** A lock's grant or a term of the library, with writes guarded by its fence. */
export class OursOwned implements Owned {
  readonly guards: readonly WriteGuard[] = ['fenced', 'raw'];
  readonly token: string;

  constructor(
    private readonly system: OursSystem,
    private readonly namespace: string,
    readonly of: string,
    token: bigint,
    private readonly ownership: Ownership,
    readonly shared = false,
  ) {
    this.token = token.toString();
  }

  isValid(): boolean {
    return this.ownership.isValid();
  }

  isAborted(): boolean {
    return this.ownership.signal.aborted;
  }

  lossReason(): string {
    const { reason } = this.ownership.signal as { reason?: { reason?: unknown } };
    return String(reason?.reason);
  }

  async write(guard: WriteGuard, key: string): Promise<boolean> {
    const { fence } = this.ownership;
    if (guard === 'fenced') {
      await this.system.transactions.fenced(fence).put(key, this.token);
      return true;
    }
    const { etcd } = this.system;
    const { succeeded } = await etcd
      .if(fence.key, 'Create', '==', fence.revision.toString())
      .then(etcd.put(`${this.namespace}/${key}`).value(this.token))
      .commit();
    return succeeded;
  }

  refuses(error: unknown): boolean {
    return (error as { code?: unknown } | null)?.code === 'STALE_FENCE';
  }
}
