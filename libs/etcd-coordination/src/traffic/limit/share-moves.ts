/** Which lease a record stands on, and who waits for it to be on another one. */
export class ShareMoves {
  private lease: string | null = null;
  private closed = false;
  private readonly waiting = new Map<() => void, string>();

  /** The record was put on that lease. */
  stands(lease: string): void {
    this.lease = lease;
    for (const [resolve, awaited] of this.waiting) if (awaited === lease) this.tell(resolve);
  }

  /** Resolves when the record is on that lease and no older one; at once if it is on none. */
  to(lease: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.closed || this.lease === null || this.lease === lease) resolve();
      else this.waiting.set(resolve, lease);
    });
  }

  /** Nothing moves any more. */
  close(): void {
    this.closed = true;
    for (const resolve of this.waiting.keys()) this.tell(resolve);
  }

  private tell(resolve: () => void): void {
    this.waiting.delete(resolve);
    resolve();
  }
}
