import type { ToldEvent, WatchNote } from '../../check/watch-notes.js';
import type { NoteTaker } from '../../history/notebook.js';
import { PREFIX } from './watched-keys.js';

/** What one subscription was told, noted in the batches in which it was told. */
export class ToldBook {
  private waiting: ToldEvent[] = [];

  constructor(
    private readonly book: NoteTaker<WatchNote>,
    readonly watch: string,
    from?: bigint,
  ) {
    book.note({
      ...{ type: 'subscribed', watch, prefix: PREFIX },
      ...(from !== undefined && { from: from.toString() }),
    });
  }

  stood(revision: string): void {
    this.flush();
    this.book.note({ type: 'stood', watch: this.watch, revision });
  }

  /** One of several that come one right after the other: they are noted together, when they pause. */
  told(event: ToldEvent): void {
    if (this.waiting.push(event) === 1) queueMicrotask(() => this.flush());
  }

  /** All that was told at once. */
  toldTogether(events: readonly ToldEvent[]): void {
    this.flush();
    this.book.note({ type: 'told', watch: this.watch, events });
  }

  /** @param code why it ended by itself; empty if it was ended */
  ended(code: string): void {
    this.flush();
    this.book.note({ type: 'ended', watch: this.watch, code });
  }

  private flush(): void {
    const events = this.waiting;
    if (events.length === 0) return;
    this.waiting = [];
    this.book.note({ type: 'told', watch: this.watch, events });
  }
}
