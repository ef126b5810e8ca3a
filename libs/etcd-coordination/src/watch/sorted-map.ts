import sortedBtree from 'sorted-btree';
import { compareKeys } from './key-order.js';

// A CommonJS module whose `default` is a property: Node gives the module, bundlers the property.
const BTree = ((sortedBtree as { default?: unknown }).default ??
  sortedBtree) as typeof sortedBtree.default;
type Tree<V> = InstanceType<typeof BTree<string, V>>;

/** A map that never changes, its keys in etcd's order. */
export class SortedMap<V> implements ReadonlyMap<string, V> {
  constructor(private readonly tree: Tree<V>) {}

  get size(): number {
    return this.tree.size;
  }

  get(key: string): V | undefined {
    return this.tree.get(key);
  }

  has(key: string): boolean {
    return this.tree.has(key);
  }

  forEach(
    callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void,
    thisArg?: unknown,
  ): void {
    for (const [key, value] of this) callback.call(thisArg, value, key, this);
  }

  *keys(): MapIterator<string> {
    yield* this.tree.keys();
  }

  *values(): MapIterator<V> {
    yield* this.tree.values();
  }

  *entries(): MapIterator<[string, V]> {
    yield* this.tree.entries();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }
}

/**
 * What changes while the maps taken of it stay as they are: a snapshot costs nothing, and
 * the next change copies the path to its key alone.
 */
export class SortedMapBuilder<V> {
  private tree: Tree<V> = new BTree<string, V>(undefined, compareKeys);
  private taken: SortedMap<V> | null = null;

  set(key: string, value: V): void {
    this.tree.set(key, value);
    this.taken = null;
  }

  delete(key: string): void {
    this.tree.delete(key);
    this.taken = null;
  }

  clear(): void {
    this.tree = new BTree<string, V>(undefined, compareKeys);
    this.taken = null;
  }

  /** What is there now. The same map until something changes. */
  snapshot(): SortedMap<V> {
    return (this.taken ??= new SortedMap(this.tree.clone()));
  }
}
