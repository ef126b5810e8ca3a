/** More changes than this at a time are sorted in anew: each by itself would move the rest once more. */
const SINGLE_CHANGES = 32;

/** What has an id, sorted by it, in arrays that never change once they were given out. */
export class SortedById<T extends { readonly id: string }> {
  private list: T[] = [];
  private isGiven = false;

  /** All, in the order of their ids; the same array until something changes. */
  get items(): readonly T[] {
    this.isGiven = true;
    return this.list;
  }

  get size(): number {
    return this.list.length;
  }

  /** Sets what has an item and removes what has none, by their ids. */
  update(changes: ReadonlyMap<string, T | null>): void {
    if (changes.size === 0) return;
    if (changes.size > SINGLE_CHANGES) return this.rebuild(changes);
    if (this.isGiven) this.list = this.list.slice();
    this.isGiven = false;
    for (const [id, item] of changes) {
      const index = indexAtOrAfter(this.list, id);
      const isThere = this.list[index]?.id === id;
      if (item === null) this.list.splice(index, isThere ? 1 : 0);
      else if (isThere) this.list[index] = item;
      else this.list.splice(index, 0, item);
    }
  }

  private rebuild(changes: ReadonlyMap<string, T | null>): void {
    const list = this.list.filter(({ id }) => !changes.has(id));
    for (const item of changes.values()) if (item) list.push(item);
    this.list = list.sort((a, b) => (a.id < b.id ? -1 : 1));
    this.isGiven = false;
  }
}

/** Where the first item stands whose id is `id` or after it; the length if there is none. */
export function indexAtOrAfter(sorted: readonly { readonly id: string }[], id: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]!.id < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
