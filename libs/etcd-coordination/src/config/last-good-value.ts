import { Subject, type Observable } from 'rxjs';
import { WatchStream } from '../watch/watch-stream.js';
import type { ConfigChange, ConfigSource } from './config-change.js';
import { differences } from './config-diff.js';
import { ConfigNotReadyError } from './config.errors.js';

/** The last good value of a configuration, and those who want to know of the next one. */
export class LastGoodValue<T> {
  /** The present value, once there is one, and each next one. */
  readonly value$: Observable<T>;
  readonly changes$: Observable<ConfigChange<T>>;
  /** Whether there is a value. */
  loaded = false;
  source: ConfigSource | null = null;
  /** The newest mod revision of what it is made of. */
  revision = 0n;
  private current!: T;
  private readonly changes = new Subject<ConfigChange<T>>();

  constructor(private readonly key: string) {
    const watched = { label: `the configuration ${JSON.stringify(key)}` };
    this.changes$ = new WatchStream(watched, (subscriber) => this.changes.subscribe(subscriber));
    this.value$ = new WatchStream<T>(watched, (subscriber) => {
      if (this.loaded) subscriber.next(this.current);
      return this.changes.subscribe({
        next: ({ value }) => subscriber.next(value),
        complete: () => subscriber.complete(),
      });
    });
  }

  /** @throws {ConfigNotReadyError} */
  get value(): T {
    if (!this.loaded) throw new ConfigNotReadyError(this.key);
    return this.current;
  }

  /**
   * Takes a value in the place of the present one: an equal one leaves that where it is. The
   * change, if it is one, is to be told by {@link tell}.
   */
  take(value: T, revision: bigint, source: ConfigSource): ConfigChange<T> | null {
    // May throw, and nothing is taken then.
    const found = this.loaded ? differences(this.current, value) : null;
    this.revision = revision;
    this.source = source;
    if (!found) {
      this.current = value;
      this.loaded = true;
      return this.present();
    }
    if (found.length === 0) return null;
    const previous = this.current;
    this.current = value;
    return Object.freeze({ key: this.key, value, previous, differences: found, revision, source });
  }

  tell(change: ConfigChange<T>): void {
    this.changes.next(change);
  }

  /** The present value as a change from nothing. @throws {ConfigNotReadyError} */
  present(): ConfigChange<T> {
    const { key, value, revision } = this;
    const added = Object.freeze({ path: Object.freeze([]), type: 'added' as const, after: value });
    return Object.freeze({
      key,
      value,
      previous: undefined,
      differences: Object.freeze([added]),
      revision,
      source: this.source!,
    });
  }

  /** There will be no other value. */
  complete(): void {
    this.changes.complete();
  }
}
