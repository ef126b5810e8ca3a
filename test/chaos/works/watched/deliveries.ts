import type { WatchEvent } from '../../../../libs/etcd-coordination/src/watch/watch-event.js';

/**
 * Which events the library delivered in one go: within a turn, one right after the other. A consumer that takes them
 * one by one, and later, would not know.
 */
export class Deliveries {
  private readonly numbers = new WeakMap<WatchEvent, number>();
  private count = 0;
  private open = false;

  /** To be called as the library delivers it. */
  came(event: WatchEvent): void {
    if (!this.open) {
      this.open = true;
      this.count += 1;
      queueMicrotask(() => (this.open = false));
    }
    this.numbers.set(event, this.count);
  }

  areTogether(one: WatchEvent, other: WatchEvent): boolean {
    return this.numbers.get(one) === this.numbers.get(other);
  }
}
