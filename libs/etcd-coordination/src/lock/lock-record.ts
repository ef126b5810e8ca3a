/** What the key of a holder, or of one who waits, says for people and for those who find the lock held. */
export interface LockRecord {
  /** The `instanceId` of the process. */
  readonly id: string;
  /** Whether that process keeps the lock when it no longer needs it, until somebody asks. */
  readonly keep: boolean;
}

export function encodeLockRecord({ id, keep }: LockRecord): Buffer {
  return Buffer.from(JSON.stringify(keep ? { id, keep } : { id }));
}

/** Reads a key's value; what is not a record of ours was put by hand, by nobody we know. */
export function decodeLockRecord(data: Buffer): LockRecord {
  try {
    const { id, keep } = JSON.parse(data.toString()) as Partial<LockRecord>;
    return { id: typeof id === 'string' ? id : '', keep: keep === true };
  } catch {
    return { id: '', keep: false };
  }
}
