import type { Change } from './key-value.js';

/** Every change since the compacted revision, in the order in which it was made. */
export class ChangeLog {
  private changes: Change[] = [];

  append(changes: readonly Change[]): void {
    for (const change of changes) this.changes.push(change);
  }

  /** The changes from `revision` on. */
  *since(revision: number): Generator<Change> {
    for (let index = this.firstOf(revision); index < this.changes.length; index++) {
      yield this.changes[index]!;
    }
  }

  /**
   * Forgets what came before `revision`. Of `revision` itself, which can still
   * be watched, the last change of each key stays.
   */
  compact(revision: number): void {
    const start = this.firstOf(revision);
    const end = this.firstOf(revision + 1);
    const last = new Map(this.changes.slice(start, end).map((change) => [change.kv.key, change]));
    const kept = this.changes
      .slice(start, end)
      .filter((change) => last.get(change.kv.key) === change);
    this.changes = [...kept, ...this.changes.slice(end)];
  }

  private firstOf(revision: number): number {
    let low = 0;
    let high = this.changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.changes[middle]!.kv.modRevision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
