import { createHash, randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { MonotonicClock } from '../client/clock.js';
import { readBeginning, realFile, removeAbandoned, writeAtomically } from '../files/atomic-file.js';

/** What etcd had of one service: keys and values as they are, so that a file is read as etcd is. */
export interface SavedList {
  readonly entries: readonly SavedEntry[];
}

export interface SavedEntry {
  readonly key: string;
  readonly value: string;
  readonly lease: string;
  readonly createRevision: string;
}

interface SavedService extends SavedList {
  readonly service: string;
  readonly savedAt: string;
}

interface Content {
  readonly namespace: string;
  readonly services: readonly SavedService[];
}

const MAGIC = 'nestjs-etcd-coordination instances ';
const VERSION = '1';
const FIRST_LINE = /^nestjs-etcd-coordination instances (\d+) ([0-9a-f]{64})$/;
const MAX_BYTES = 64 * 1024 * 1024;
/** Between a change and its writing, so that a burst is written once; a large fleet is always changing. */
const WRITE_DELAY_MS = 2000;
/** A service that no process has followed for so long is left out. */
const FORGOTTEN_MS = 30 * 24 * 3600 * 1000;

/** The files that connections of this process write. */
const claimed = new Set<string>();

/**
 * The last known lists of the services that a connection follows, in a file. It is a help for a bad
 * day: whatever is wrong with it is a warning, and hurts nothing else.
 */
export class DiscoverySnapshot {
  private readonly logger = new Logger('ServiceDiscovery');
  private readonly writer = randomUUID();
  private readonly saved = new Map<string, SavedService>();
  /** Lists that changed since they were written, and how they are read. */
  private readonly stale = new Map<string, () => SavedList | null>();
  private opening: Promise<void> | null = null;
  /** Nothing is written: the file is somebody else's. */
  private isReadonly = false;
  private failed = false;
  private cancelTimer: (() => void) | null = null;
  private writing: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(
    private file: string,
    private readonly namespace: string,
    private readonly clock: MonotonicClock,
  ) {}

  /** Whether a file holds lists that could stand in for etcd's. Takes nothing of it, and says nothing. Never rejects. */
  static async holdsLists(file: string, namespace: string): Promise<boolean> {
    try {
      const data = await readBeginning(await realFile(file), MAX_BYTES + 1);
      const content = data && decode(data);
      if (!content || typeof content === 'string' || content.namespace !== namespace) return false;
      return content.services.some(isFresh);
    } catch {
      return false;
    }
  }

  /** Whether there is any list. */
  get holdsAny(): boolean {
    return this.saved.size > 0;
  }

  /** Reads what is there; never rejects. Opening it again is opening it once. */
  open(): Promise<void> {
    return (this.opening ??= this.load());
  }

  /** The list of a service that an earlier run has kept; null if there is none. */
  read(service: string): (SavedList & { readonly savedAt: Date }) | null {
    const saved = this.saved.get(service);
    return saved ? { entries: saved.entries, savedAt: new Date(saved.savedAt) } : null;
  }

  /** A list has changed: it is written within seconds, as `list` gives it then. */
  keep(service: string, list: () => SavedList | null): void {
    if (this.closed) return;
    this.stale.set(service, list);
    this.schedule();
  }

  /** A service is not followed any more: what is known of it now is what will be written. */
  settle(service: string): void {
    const list = this.stale.get(service);
    if (!list) return;
    this.stale.delete(service);
    this.take(service, list());
    this.schedule();
  }

  /** Writes what is not written yet, and gives the file free. Never rejects. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const isDue = this.cancelTimer !== null;
    this.cancelTimer?.();
    await this.opening;
    await this.writing;
    if (isDue) await this.write();
    if (this.opening && !this.isReadonly) claimed.delete(this.file);
  }

  private async load(): Promise<void> {
    this.file = await realFile(this.file);
    if (claimed.has(this.file)) {
      this.isReadonly = true;
      return this.warn(
        'is kept by another connection of this process too; give each a file of its own',
      );
    }
    claimed.add(this.file);
    await removeAbandoned(this.file);
    try {
      const data = await readBeginning(this.file, MAX_BYTES + 1);
      // What is empty was never a file of somebody else's.
      if (data && data.length > 0) this.takeContent(data);
    } catch (error) {
      this.warn(`cannot be read (${String(error)}); check its path and permissions`);
    }
  }

  private takeContent(data: Buffer): void {
    if (!MAGIC.startsWith(data.toString('latin1', 0, MAGIC.length))) {
      return this.leaveAlone('is a file of something else, and is left as it is');
    }
    const content = decode(data);
    if (typeof content === 'string') return this.warn(`${content}; it is written anew`);
    if (content.namespace !== this.namespace) {
      return this.leaveAlone(`is of the namespace "${content.namespace}"`);
    }
    for (const saved of content.services) {
      if (isFresh(saved)) this.saved.set(saved.service, saved);
    }
  }

  private schedule(): void {
    if (this.cancelTimer || this.closed) return;
    this.cancelTimer = this.clock.setTimer(
      () => {
        this.cancelTimer = null;
        this.writing = this.writing.then(() => this.write());
      },
      WRITE_DELAY_MS,
      // What is not written when the process ends is written by `close`.
      { unref: true },
    );
  }

  /** Never rejects. */
  private async write(): Promise<void> {
    await this.open();
    for (const [service, list] of this.stale) this.take(service, list());
    this.stale.clear();
    if (this.isReadonly) return;
    try {
      const content = { namespace: this.namespace, services: [...this.saved.values()] };
      const data = encode(content);
      if (data.length > MAX_BYTES) throw new Error('it would be larger than 64 MiB');
      await writeAtomically(this.file, data, this.writer);
      if (this.failed) this.logger.log(`The snapshot ${this.shownFile} is written again.`);
      this.failed = false;
    } catch (error) {
      // Once: the same fault comes with every write.
      if (!this.failed) {
        this.warn(
          `cannot be written (${String(error)}); check that its folder is there, can be written and has room`,
        );
      }
      this.failed = true;
    }
  }

  private take(service: string, list: SavedList | null): void {
    if (!list) return;
    this.saved.set(service, { service, savedAt: new Date().toISOString(), ...list });
  }

  private leaveAlone(what: string): void {
    this.isReadonly = true;
    claimed.delete(this.file);
    this.warn(`${what}; give another path, or delete it`);
  }

  private warn(what: string): void {
    this.logger.warn(
      `The snapshot of instances ${this.shownFile} is passed over: it ${what}. Without it services are only known once etcd has answered.`,
    );
  }

  private get shownFile(): string {
    return JSON.stringify(this.file);
  }
}

function isFresh({ savedAt }: SavedService): boolean {
  return Date.parse(savedAt) > Date.now() - FORGOTTEN_MS;
}

function encode(content: Content): Buffer {
  const body = Buffer.from(JSON.stringify(content));
  return Buffer.concat([Buffer.from(`${MAGIC}${VERSION} ${sha256(body)}\n`), body]);
}

/** The content, or what is wrong with it in words that follow "it". */
function decode(data: Buffer): Content | string {
  if (data.length > MAX_BYTES) return 'is larger than 64 MiB';
  const end = Math.max(data.indexOf('\n'), 0);
  const [, version, digest] = FIRST_LINE.exec(data.toString('latin1', 0, end)) ?? [];
  if (version !== undefined && version !== VERSION) {
    return `is of the format version ${version}, which this version of the library does not know`;
  }
  const body = data.subarray(end + 1);
  const corrupt = 'is truncated or was changed, as its checksum tells';
  if (sha256(body) !== digest) return corrupt;
  const content: unknown = JSON.parse(body.toString());
  return isContent(content) ? content : corrupt;
}

function isContent(value: unknown): value is Content {
  const { namespace, services } = value as Partial<Content>;
  return (
    typeof namespace === 'string' &&
    Array.isArray(services) &&
    services.every(
      ({ service, savedAt, entries }: Partial<SavedService>) =>
        typeof service === 'string' &&
        !Number.isNaN(Date.parse(savedAt ?? '')) &&
        Array.isArray(entries) &&
        entries.every(isEntry),
    )
  );
}

function isEntry({ key, value, lease, createRevision }: Partial<SavedEntry>): boolean {
  return (
    typeof key === 'string' &&
    typeof value === 'string' &&
    typeof lease === 'string' &&
    typeof createRevision === 'string' &&
    /^\d+$/.test(createRevision)
  );
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
