import type { Subscriber } from 'rxjs';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import { guarded } from './watch-stream.js';
import type { WatchEvent } from './watch-event.js';
import type { WatchName } from './watch-name.js';
import type { WatchListener, WatchSource } from './watch-source.js';
import type { WatchSources } from './watch-sources.js';

/** One subscriber's place at a shared source, or at one of its own. */
export class WatchSubscription implements WatchListener {
  readonly previous: boolean;
  private source: WatchSource;
  private leave: (() => void) | undefined;
  private unsubscribe: (() => void) | undefined;
  private onStanding: ((revision: bigint) => void) | undefined;

  constructor(
    private readonly sources: WatchSources,
    readonly name: WatchName,
    private readonly subscriber: Subscriber<WatchEvent>,
    options: { previous?: boolean; onStanding?: (revision: bigint) => void },
    own?: WatchSource,
  ) {
    this.previous = options.previous ?? false;
    this.source = own ?? sources.take(name, this.previous);
    this.onStanding = options.onStanding;
    this.join();
  }

  next(event: WatchEvent): void {
    this.subscriber.next(event);
  }

  ended(error: EtcdCoordinationError): void {
    if (error instanceof ClientClosedError) return this.subscriber.complete();
    if (this.source.name.isSame(this.name)) return this.subscriber.error(error);
    // The wider range that it joined is refused; its own may be permitted.
    const refused = this.source;
    this.sources.release(refused);
    this.source = this.sources.take(this.name, this.previous, refused);
    this.join();
  }

  close(): void {
    this.unsubscribe?.();
    this.leave?.();
    this.sources.release(this.source);
  }

  private join(): void {
    const { error } = this.source.view;
    if (error) return this.ended(error);
    this.leave = this.source.add(this);
    if (this.onStanding) this.followStanding();
  }

  private followStanding(): void {
    const { view } = this.source;
    const look = () => {
      const { onStanding } = this;
      if (!view.synced || !onStanding) return;
      this.unsubscribe?.();
      this.onStanding = this.unsubscribe = undefined;
      guarded(this.name, () => onStanding(view.revision));
    };
    this.unsubscribe?.();
    this.unsubscribe = view.subscribe(look);
    look();
  }
}
