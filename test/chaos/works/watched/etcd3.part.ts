import { setTimeout as pause } from 'node:timers/promises';
import type { IKeyValue, Watcher } from 'etcd3';
import type { WatchNote } from '../../check/watch-notes.js';
import type { NoteTaker } from '../../history/notebook.js';
import type { Etcd3Part, Etcd3System } from '../../systems/etcd3/etcd3-system.js';
import { codeOf } from '../owned/owner.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { ToldBook } from './told-book.js';
import { PREFIX } from './watched-keys.js';
import { type Change, startWriter, type WatchedWrites } from './writers.js';

/** It can hang, see FACTS.md. */
const CANCEL_MS = 1_000;

/** etcd3's watcher, another one after each that ended with an error; and a cache by a list and a watch after it. */
class Etcd3Watched implements WatchedWrites {
  private readonly pace: Pace;
  private readonly book: NoteTaker<WatchNote>;
  private watches = 0;

  constructor(private readonly ground: Ground<Etcd3System>) {
    this.book = ground.book;
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
  }

  start(): void {
    this.pace.work('a watch', [200, 500], () => this.watch(this.pace.signal));
    this.pace.work('a watch that is renewed', [500, 3000], () => {
      const forMs = AbortSignal.timeout(this.ground.random.int(1_000, 8_000));
      return this.watch(AbortSignal.any([this.pace.signal, forMs]));
    });
    this.pace.work('a cache', [200, 500], () => this.cache());
    startWriter(this.ground, this.pace, this);
  }

  stop(): Promise<void> {
    return this.pace.stop();
  }

  async one([key, value]: Change): Promise<void> {
    const { keys } = this.ground.system;
    if (value === null) await keys.delete().key(key).exec();
    else await keys.put(key).value(value).exec();
  }

  async together(changes: readonly Change[]): Promise<void> {
    const { keys } = this.ground.system;
    const all = changes.map(([key, value]) =>
      value === null ? keys.delete().key(key) : keys.put(key).value(value),
    );
    // It has no transaction without a condition.
    await keys
      .if('no-such-key', 'Version', '==', 0)
      .then(...all)
      .commit();
  }

  /** It promises nothing of its errors. */
  isFault(): boolean {
    return false;
  }

  /** Until it fails, or is to end. */
  private async watch(until: AbortSignal): Promise<void> {
    const told = new ToldBook(this.book, this.nextId('watch'));
    const watcher = this.ground.system.keys.watch().prefix(PREFIX).watcher();
    watcher.once('connected', ({ header }) => told.stood(header.revision));
    watcher.on('put', (kv) => told.told(['put', ...fieldsOf(kv), false]));
    watcher.on('delete', (kv) => told.told(['delete', ...fieldsOf(kv), false]));
    told.ended(await endOf(watcher, until));
  }

  /** As its users write it: a list, and a watch from the revision after it. */
  private async cache(): Promise<void> {
    const { keys } = this.ground.system;
    const watch = this.nextId('cache');
    const listed = await keys
      .getAll()
      .prefix(PREFIX)
      .exec()
      .catch(() => null);
    if (!listed || this.pace.isOver) return;
    this.book.note({ type: 'subscribed', watch, prefix: PREFIX });
    const cached = new Map(listed.kvs.map((kv) => [kv.key.toString(), kv.mod_revision]));
    let { revision } = listed.header;
    const watcher = keys
      .watch()
      .prefix(PREFIX)
      .startRevision(`${BigInt(revision) + 1n}`)
      .watcher();
    watcher.on('put', (kv) => {
      revision = kv.mod_revision;
      cached.set(kv.key.toString(), revision);
    });
    watcher.on('delete', (kv) => {
      revision = kv.mod_revision;
      cached.delete(kv.key.toString());
    });
    const looking = setInterval(
      () => this.book.note({ type: 'showed', watch, synced: true, revision, keys: [...cached] }),
      750,
    );
    await endOf(watcher, this.pace.signal);
    clearInterval(looking);
  }

  private nextId(kind: string): string {
    return `${this.ground.process}/${kind}-${(this.watches += 1)}`;
  }
}

/** Resolves with why it ended by itself, or with nothing once it is ended. */
async function endOf(watcher: Watcher, until: AbortSignal): Promise<string> {
  const code = await new Promise<string>((resolve) => {
    watcher.on('error', (error) => resolve(codeOf(error)));
    if (until.aborted) resolve('');
    until.addEventListener('abort', () => resolve(''), { once: true });
  });
  const cancelled = watcher.cancel().catch(() => undefined);
  await Promise.race([cancelled, pause(CANCEL_MS, undefined, { ref: false })]);
  return code;
}

function fieldsOf(kv: IKeyValue): [key: string, revision: string, value: string] {
  return [kv.key.toString(), kv.mod_revision, kv.value.toString()];
}

export const part: Etcd3Part = {
  start: (ground) => {
    const watched = new Etcd3Watched(ground);
    watched.start();
    return Promise.resolve({ stop: () => watched.stop() });
  },
};
