/**
 * What is kept under prefixes, found by a key that begins with them: a table for each
 * length that there is, so a key costs one look-up a length, however many prefixes there are.
 */
export class PrefixTable<T> {
  private readonly byLength = new Map<number, Map<string, T>>();

  get(prefix: string): T | undefined {
    return this.byLength.get(prefix.length)?.get(prefix);
  }

  set(prefix: string, item: T): void {
    let table = this.byLength.get(prefix.length);
    if (!table) this.byLength.set(prefix.length, (table = new Map()));
    table.set(prefix, item);
  }

  delete(prefix: string): void {
    const table = this.byLength.get(prefix.length);
    if (table?.delete(prefix) && table.size === 0) this.byLength.delete(prefix.length);
  }

  /** What is kept under each prefix that `key` begins with, `key` itself included. */
  over(key: string): T[] {
    const items: T[] = [];
    for (const [length, table] of this.byLength) {
      if (length > key.length) continue;
      const item = table.get(length === key.length ? key : key.slice(0, length));
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  *values(): Generator<T> {
    for (const table of this.byLength.values()) yield* table.values();
  }
}
