import type { KeyValue } from './key-value.js';

interface Entry {
  readonly revision: number;
  /** `null` where the key was deleted. */
  readonly kv: KeyValue | null;
}

/** Every version of one key that has not been compacted away, oldest first. */
export class KeyHistory {
  private entries: Entry[] = [];

  /** The key as it stands now, or null. */
  get latest(): KeyValue | null {
    return this.entries.at(-1)?.kv ?? null;
  }

  put(kv: KeyValue): void {
    this.entries.push({ revision: kv.modRevision, kv });
  }

  delete(revision: number): void {
    this.entries.push({ revision, kv: null });
  }

  /** The key as it stood when `revision` was complete, or null. */
  at(revision: number): KeyValue | null {
    return this.entries[this.indexAt(revision)]?.kv ?? null;
  }

  /** Forgets what nobody can ask for once `revision` is compacted. */
  compact(revision: number): void {
    const kept = this.indexAt(revision);
    if (kept < 0) return;
    const gone = this.entries[kept]!.kv === null ? kept + 1 : kept;
    if (gone > 0) this.entries = this.entries.slice(gone);
  }

  /** Whether nothing is left: neither the key nor any history of it. */
  get isEmpty(): boolean {
    return this.entries.length === 0;
  }

  /** The index of the last entry not after `revision`, or -1. */
  private indexAt(revision: number): number {
    let low = 0;
    let high = this.entries.length;
    // Nearly every read is of the present.
    if (high > 0 && this.entries[high - 1]!.revision <= revision) return high - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.entries[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
