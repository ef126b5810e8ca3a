import type { Subscriber } from 'rxjs';
import type { RangeState, StateMap } from './range-state.js';
import { WatchStream, type Watched } from './watch-stream.js';

const NOTHING: StateMap = new Map();

/**
 * What stands under a prefix: listed once, then kept current by a watch, and a new immutable
 * map after every revision that changes it, its keys in order. A subscriber gets the present
 * map at once, as soon as there is one.
 *
 * Cold: it is followed, and {@link current} is current, while somebody is subscribed.
 */
export class WatchedState extends WatchStream<StateMap> {
  private state: RangeState | null = null;

  constructor(watched: Watched, use: () => RangeState) {
    super(watched, (subscriber: Subscriber<StateMap>) => {
      const state = (this.state = use());
      state.add(subscriber);
      return () => state.remove(subscriber);
    });
  }

  /** The newest map; empty until {@link synced}. */
  get current(): StateMap {
    return this.state?.current ?? NOTHING;
  }

  /** Whether {@link current} is what etcd holds, as far as this process has been told. */
  get synced(): boolean {
    return this.state?.synced ?? false;
  }

  /** The revision that {@link current} is as of; 0 before there is one. */
  get revision(): bigint {
    return this.state?.revision ?? 0n;
  }

  /**
   * Milliseconds since the state was last known to be current: by a change, a list, or etcd's
   * word that there is none. Grows while etcd is away; some 2,000 at most while it is there, or
   * 6,000 while other watches are busy. Infinity before the first list.
   */
  ageMs(): number {
    return this.state?.ageMs() ?? Infinity;
  }

  /** How often the revision check found the state not to be what etcd held, and mended it. */
  get repairs(): number {
    return this.state?.repairs ?? 0;
  }
}
