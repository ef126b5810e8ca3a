import type { Observable, Subscription } from 'rxjs';
import type { WatchEvent } from '../../../libs/etcd-coordination/src/watch/watch-event.js';
import type { WatchService } from '../../../libs/etcd-coordination/src/watch/watch.service.js';
import type { WatchOptions } from '../../../libs/etcd-coordination/src/watch/watch-options.js';
import { waitFor } from '../../support/wait-for.js';
import { written } from './watch-log.js';

/** The namespace of these tests; whole keys begin with it. */
export const NAMESPACE = 'ns';

/** Writes down what a watch of the service tells. */
export class EventLog {
  readonly events: WatchEvent[] = [];
  error: unknown = null;
  completed = false;
  private readonly subscription: Subscription;

  constructor(source: Observable<WatchEvent>) {
    this.subscription = source.subscribe({
      next: (event) => this.events.push(event),
      error: (error: unknown) => (this.error = error),
      complete: () => (this.completed = true),
    });
  }

  /** Watches a prefix, or a key, from the time that it stands. */
  static async standing(
    watch: WatchService,
    what: { prefix: string } | { key: string },
    options: WatchOptions = {},
  ): Promise<EventLog> {
    let stands = false;
    const all = { ...options, onStanding: () => (stands = true) };
    const log = new EventLog(
      'prefix' in what ? watch.prefix(what.prefix, all) : watch.key(what.key, all),
    );
    await waitFor(() => stands || log.error, { what: 'the watch to stand' });
    return log;
  }

  /** Each event as {@link written} writes it, its key whole. */
  get lines(): string[] {
    return this.events.map(({ type, key, revision }) =>
      written(type, `${NAMESPACE}/${key}`, revision),
    );
  }

  get resyncs(): string[] {
    return this.events.filter(({ resync }) => resync).map(({ type, key }) => `${type} ${key}`);
  }

  stop(): void {
    this.subscription.unsubscribe();
  }
}
