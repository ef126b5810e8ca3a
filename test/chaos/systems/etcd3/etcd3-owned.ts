import type { Lease } from 'etcd3';
import type { WriteGuard } from '../../check/ownership.js';
import type { Owned } from '../../works/owned/owned.js';
import type { Etcd3System } from './etcd3-system.js';

/** What somebody owns by etcd3's recipes: for as long as nothing has said that its lease was lost. */
export class Etcd3Owned implements Owned {
  /** There is nothing to guard a write with. */
  readonly guards: readonly WriteGuard[] = ['none'];
  private loss: string | null = null;

  /** @param token the create revision of its key, which etcd3 does not tell: read for the notes alone */
  constructor(
    private readonly system: Etcd3System,
    readonly of: string,
    readonly token: string,
  ) {}

  /** By its own sign of loss. */
  watchLease(lease: Lease): void {
    if (lease.revoked()) this.isLost('lease lost');
    lease.on('lost', () => this.isLost('lease lost'));
  }

  isLost(why: string): void {
    this.loss ??= why;
  }

  isValid(): boolean {
    return this.loss === null;
  }

  isAborted(): boolean {
    return this.loss !== null;
  }

  lossReason(): string {
    return this.loss ?? 'none';
  }

  async write(_guard: WriteGuard, key: string): Promise<boolean> {
    await this.system.keys.put(key).value(this.token).exec();
    return true;
  }

  refuses(): boolean {
    return false;
  }
}

/** The create revision of a key; null if it is not there, or no longer on that lease. */
export async function createRevision(
  system: Etcd3System,
  key: string,
  leaseId: string | null,
): Promise<string | null> {
  const { kvs } = await system.keys.get(key).exec();
  const [kv] = kvs;
  return kv && kv.lease === leaseId ? kv.create_revision : null;
}
