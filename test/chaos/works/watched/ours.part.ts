import { type Subscription, tap } from 'rxjs';
import { batch } from '../../../../libs/etcd-coordination/src/watch/operators/batch.js';
import { inTurn } from '../../../../libs/etcd-coordination/src/watch/operators/in-turn.js';
import type { WatchEvent } from '../../../../libs/etcd-coordination/src/watch/watch-event.js';
import type { WatchedState } from '../../../../libs/etcd-coordination/src/watch/watched-state.js';
import type { ToldEvent, WatchNote } from '../../check/watch-notes.js';
import type { NoteTaker } from '../../history/notebook.js';
import { oursCode } from '../../systems/ours/ours-code.js';
import type { OursPart, OursSystem } from '../../systems/ours/ours-system.js';
import { codeOf } from '../owned/owner.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { Deliveries } from './deliveries.js';
import { ToldBook } from './told-book.js';
import { PREFIX } from './watched-keys.js';
import { type Change, startWriter, type WatchedWrites } from './writers.js';

/** What waits for a slow consumer is every event of half a minute of faults, and more. */
const WAITING = 50_000;

/** Watches a prefix in all the ways in which the library tells of it. */
class OursWatched implements WatchedWrites {
  private readonly pace: Pace;
  private readonly book: NoteTaker<WatchNote>;
  private readonly subscriptions = new Set<Subscription>();
  private watches = 0;
  private lastRevision = 0n;

  constructor(private readonly ground: Ground<OursSystem>) {
    this.book = ground.book;
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
  }

  start(): void {
    const { random } = this.ground;
    this.watchAtOnce();
    if (random.chance(0.5)) this.watchInBatches();
    else this.watchSlowly();
    this.lookAtState();
    this.pace.work('a watch that is renewed', [500, 3000], () => this.watchForAWhile());
    startWriter(this.ground, this.pace, this);
  }

  async stop(): Promise<void> {
    await this.pace.stop();
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  async one([key, value]: Change): Promise<void> {
    const { etcd } = this.ground.system;
    const whole = `${this.ground.namespace}/${key}`;
    if (value === null) await etcd.delete().key(whole).exec();
    else await etcd.put(whole).value(value).exec();
  }

  async together(changes: readonly Change[]): Promise<void> {
    const all = this.ground.system.transactions.batch();
    for (const [key, value] of changes) {
      if (value === null) all.delete(key);
      else all.put(key, value);
    }
    await all.commit();
  }

  isFault(error: unknown): boolean {
    return oursCode(error) === null;
  }

  private watchAtOnce(from?: bigint): { readonly told: ToldBook; readonly watching: Subscription } {
    const told = this.opened('at-once', from);
    const watching = this.ground.system.watches
      .prefix(PREFIX, {
        ...(from !== undefined && { fromRevision: from }),
        onStanding: (revision) => told.stood(revision.toString()),
      })
      .subscribe({
        next: (event) => {
          this.lastRevision = event.revision;
          told.told(toTold(event));
        },
        error: (error: unknown) => this.ended(told, error),
      });
    this.subscriptions.add(watching);
    return { told, watching };
  }

  private watchInBatches(): void {
    const told = this.opened('in-batches');
    this.subscriptions.add(
      this.ground.system.watches
        .prefix(PREFIX, { onStanding: (revision) => told.stood(revision.toString()) })
        .pipe(batch({ count: 20, windowMs: 300 }))
        .subscribe({
          next: (events) => told.toldTogether(events.map(toTold)),
          error: (error: unknown) => this.ended(told, error),
        }),
    );
  }

  /** What the library delivered in one go it notes together, once it comes to the next. */
  private watchSlowly(): void {
    const told = this.opened('slowly');
    const deliveries = new Deliveries();
    let done: WatchEvent[] = [];
    const take = async (event: WatchEvent) => {
      await this.pace.wait(20);
      const [first] = done;
      if (first && !deliveries.areTogether(first, event)) {
        told.toldTogether(done.map(toTold));
        done = [];
      }
      done.push(event);
    };
    this.subscriptions.add(
      this.ground.system.watches
        .prefix(PREFIX, { onStanding: (revision) => told.stood(revision.toString()) })
        .pipe(
          tap((event) => deliveries.came(event)),
          inTurn(take, { limit: WAITING, overflow: 'error' }),
        )
        .subscribe({ error: (error: unknown) => this.ended(told, error) }),
    );
  }

  /** Some of them go back into what has been told already. */
  private async watchForAWhile(): Promise<void> {
    const { random } = this.ground;
    const from = random.chance(0.4) && this.lastRevision > 0n ? this.lastRevision : undefined;
    const { told, watching } = this.watchAtOnce(from);
    await this.pace.wait(random.int(1_000, 8_000));
    if (!watching.closed) told.ended('');
    watching.unsubscribe();
    this.subscriptions.delete(watching);
  }

  private lookAtState(): void {
    const { system, fault } = this.ground;
    const watch = this.nextId('state');
    this.book.note({ type: 'subscribed', watch, prefix: PREFIX });
    const state = system.watches.state(PREFIX);
    this.subscriptions.add(
      state.subscribe({ error: (error: unknown) => fault('the watched state', error) }),
    );
    this.pace.work('a look at the state', [300, 1200], () => this.showed(watch, state));
  }

  private showed(watch: string, state: WatchedState): void {
    const keys = [...state.current].map(([key, { revision }]) => [key, `${revision}`] as const);
    const { synced, revision } = state;
    this.book.note({ type: 'showed', watch, synced, revision: revision.toString(), keys });
  }

  private opened(kind: string, from?: bigint): ToldBook {
    return new ToldBook(this.book, this.nextId(kind), from);
  }

  private nextId(kind: string): string {
    return `${this.ground.process}/${kind}-${(this.watches += 1)}`;
  }

  private ended(told: ToldBook, error: unknown): void {
    told.ended(codeOf(error));
    if (this.isFault(error)) this.ground.fault(told.watch, error);
  }
}

function toTold(event: WatchEvent): ToldEvent {
  return [event.type, event.key, event.revision.toString(), event.text(), event.resync];
}

export const part: OursPart = {
  start: (ground) => {
    const watched = new OursWatched(ground);
    watched.start();
    return Promise.resolve({ stop: () => watched.stop() });
  },
};
