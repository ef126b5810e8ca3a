import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import type { MonotonicClock } from '../client/clock.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import { retryDelay } from '../client/retry-delay.js';
import type { RangeView } from './range-view.js';

/** Between two attempts to follow what etcd refuses to show. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };

/** A view that lasts: where etcd refuses to show the range any more, it is followed anew until it does. */
export class LastingView<V extends RangeView<IKeyValue>> {
  private readonly logger: Logger;
  private readonly listeners = new Set<() => void>();
  private view!: V;
  private refusals = 0;
  private closed = false;
  private cancelTimer: () => void = () => undefined;

  constructor(
    private readonly clock: MonotonicClock,
    /** Whose view it is, for the log. */
    owner: string,
    /** What is followed, for people. */
    private readonly name: string,
    private readonly open: () => V,
    /** Told of each view that takes the place of another one. */
    private readonly replaced: () => void = () => undefined,
  ) {
    this.logger = new Logger(owner);
    this.begin();
  }

  /** The present view. One that was refused shows what it has seen until then. */
  get current(): V {
    return this.view;
  }

  /** Calls `listener` after every change. Returns what ends that. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.closed = true;
    this.cancelTimer();
    this.listeners.clear();
    this.view.close();
  }

  private begin(): void {
    const view = (this.view = this.open());
    view.subscribe(() => this.look(view));
    // It may have been refused already, before anybody listened.
    if (view.error) this.look(view);
  }

  private look(view: V): void {
    if (this.closed) return;
    if (view.synced && !view.error) this.refusals = 0;
    if (view.error) this.refused(view.error);
    for (const listener of [...this.listeners]) listener();
  }

  private refused(error: Error): void {
    if (error instanceof ClientClosedError) return;
    this.refusals += 1;
    if (this.refusals === 1) {
      this.logger.warn(
        `What becomes of ${this.name} cannot be seen, which is tried again now and then: ${String(error)}`,
      );
    }
    const again = () => {
      this.begin();
      this.replaced();
    };
    const delay = retryDelay(this.refusals, RETRY_SLOWLY);
    this.cancelTimer = this.clock.setTimer(again, delay, { unref: true });
  }
}
