import { ClientClosedError } from '../client/etcd.errors.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { RangeState } from './range-state.js';
import type { WatchEvent } from './watch-event.js';
import type { WatchHub } from './watch-hub.js';
import { WatchName } from './watch-name.js';
import { readWatchOptions, type WatchOptions } from './watch-options.js';
import { WatchSource, type WatchGround } from './watch-source.js';
import { WatchSources } from './watch-sources.js';
import { WatchStream } from './watch-stream.js';
import { WatchSubscription } from './watch-subscription.js';
import { WatchedState } from './watched-state.js';

/** What all watches of a connection have in common. */
export interface WatchServiceOptions {
  /**
   * Milliseconds between two proofs that what is watched is what etcd holds, give or take a
   * fifth; 0 turns them off. Default 60,000.
   */
  readonly checkIntervalMs?: number;
}

/**
 * Watches of keys, as Observables that lose nothing: every change once, in the order of
 * revisions, across reconnects, failures of members, compactions and restores.
 *
 * They are cold, and shared: all watches of a process are on one stream, and whoever
 * subscribes to a key or a prefix under a prefix that is watched already joins that watch.
 *
 * A watch errors with what etcd refuses it for, such as an EtcdPermissionDeniedError, and
 * completes when the connection is closed. Outages are waited out, and
 * so is a login that etcd refuses, which is warned of.
 */
export class WatchService {
  private readonly ground: WatchGround;
  private readonly sources: WatchSources;
  private readonly states = new Map<string, RangeState>();
  /** Whoever is to be told of the end. */
  private readonly told = new Set<{ complete(): void }>();
  private closed = false;

  /** @param namespace all keys are relative to it */
  constructor(
    client: EtcdClient,
    hub: WatchHub,
    namespace: string,
    options: WatchServiceOptions = {},
  ) {
    this.ground = { client, hub, namespace, checkIntervalMs: options.checkIntervalMs };
    this.sources = new WatchSources(this.ground);
  }

  /**
   * The changes of one key.
   *
   * @throws InvalidWatchError for a key or an option that makes no sense
   */
  key(key: string, options?: WatchOptions): WatchStream<WatchEvent> {
    return this.events(WatchName.of('key', this.ground.namespace, key), options);
  }

  /**
   * The changes of all keys that begin with `prefix`. End it in `/`, or `orders` takes in
   * `orders-archive` too.
   *
   * @throws InvalidWatchError for a prefix or an option that makes no sense
   */
  prefix(prefix: string, options?: WatchOptions): WatchStream<WatchEvent> {
    return this.events(WatchName.of('prefix', this.ground.namespace, prefix), options);
  }

  /**
   * What stands under a prefix, as a new immutable map after every revision that changes it.
   *
   * @throws InvalidWatchError for a prefix that makes no sense
   */
  state(prefix: string): WatchedState {
    const name = WatchName.of('prefix', this.ground.namespace, prefix);
    return new WatchedState(name, () => this.useState(name));
  }

  /** Completes every watch. Later subscriptions error with a ClientClosedError. */
  close(): Promise<void> {
    this.closed = true;
    for (const one of [...this.told]) one.complete();
    return Promise.resolve();
  }

  private events(name: WatchName, given: WatchOptions | undefined): WatchStream<WatchEvent> {
    const options = readWatchOptions(name, given);
    return new WatchStream(name, (subscriber) => {
      this.assertOpen();
      this.told.add(subscriber);
      const subscription = new WatchSubscription(
        this.sources,
        name,
        subscriber,
        options,
        this.ownSource(name, options),
      );
      return () => {
        this.told.delete(subscriber);
        subscription.close();
      };
    });
  }

  /** A history is nobody else's. */
  private ownSource(
    name: WatchName,
    { fromRevision, previous = false }: WatchOptions,
  ): WatchSource | undefined {
    if (fromRevision === undefined) return undefined;
    const source = new WatchSource(this.ground, name, previous, { from: fromRevision });
    source.uses = 1;
    return source;
  }

  private useState(name: WatchName): RangeState {
    this.assertOpen();
    let state = this.states.get(name.whole);
    if (!state) {
      const { sources, states } = this;
      const fresh = (state = new RangeState(sources, name, this.ground.namespace, () => {
        this.told.delete(fresh);
        if (states.get(name.whole) === fresh) states.delete(name.whole);
      }));
      states.set(name.whole, fresh);
      this.told.add(fresh);
    }
    return state;
  }

  private assertOpen(): void {
    const { client } = this.ground;
    if (this.closed || client.isClosed) throw new ClientClosedError(client.options.connection);
  }
}
