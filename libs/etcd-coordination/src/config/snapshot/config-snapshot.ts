import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { systemClock, type MonotonicClock } from '../../client/clock.js';
import type { RawDocument } from '../config-evaluator.js';
import type { ConfigLayer } from '../config-layer.js';
import {
  NotAFileError,
  readBeginning,
  realFile,
  removeAbandoned,
  writeAtomically,
} from '../../files/atomic-file.js';
import { readEncryptionKey } from './encryption-key.js';
import {
  decodeSnapshot,
  encodeSnapshot,
  foreign,
  isForeign,
  MAX_HEADER_BYTES,
  peekWriter,
  UndecodableSnapshot,
} from './snapshot-codec.js';
import type { SnapshotEntry } from './snapshot-content.js';
import type { SnapshotOptions } from './snapshot-options.js';
import { SnapshotError, SnapshotInUseError } from './snapshot.errors.js';

const MAX_BYTES = 64 * 1024 * 1024;
/** Between a change and its writing, so that a burst is written once. */
const DEBOUNCE_MS = 500;
/** Until a write that failed is tried again, if no change comes sooner. */
const RETRY_MS = 30_000;
/** A configuration that no process has followed for so long is left out. */
const FORGOTTEN_MS = 30 * 24 * 3600 * 1000;

/** The files that connections of this process write. */
const claimed = new Map<string, ConfigSnapshot>();

/** Whose configurations a snapshot holds. */
export interface SnapshotOwner {
  readonly connection: string;
  readonly namespace: string;
  readonly service?: string;
}

/** What a snapshot knows of a configuration. */
export interface SnapshotState {
  readonly documents: readonly RawDocument[];
  readonly savedAt: Date;
  readonly clusterId: string | null;
}

/**
 * The last good documents of a connection's configurations, in a file. It is a help for a bad day:
 * whatever is wrong with it is told by {@link error}, and hurts nothing else.
 */
export class ConfigSnapshot {
  private readonly logger = new Logger('ConfigSnapshot');
  private readonly writer = randomUUID();
  private readonly key: Buffer | null;
  private readonly entries = new Map<string, SnapshotEntry>();
  private readonly followed = new Set<string>();
  private clusterId: string | null = null;
  /** Resolved when it is opened. */
  private file: string;
  private opening: Promise<void> | null = null;
  private opened = false;
  private fault: SnapshotError | null = null;
  /** Who may have written the file that is there now. */
  private expectedWriter: string | null = null;
  /** The file is somebody else's, and stays as it is. */
  private readonlyBecause: SnapshotError | null = null;
  private cancelTimer: (() => void) | null = null;
  private dirty = false;
  private writing: Promise<void> | null = null;
  private closed = false;

  /** @throws {TypeError} if the key is none */
  constructor(
    { file, encryptionKey }: SnapshotOptions,
    private readonly owner: SnapshotOwner,
    private readonly clock: MonotonicClock = systemClock,
  ) {
    this.file = file;
    this.key = encryptionKey === undefined ? null : readEncryptionKey(encryptionKey);
  }

  /** Why it could not be read or written, until it can be; null if nothing is wrong. */
  get error(): SnapshotError | null {
    return this.fault;
  }

  /** How many configurations it holds. */
  get size(): number {
    return this.entries.size;
  }

  /**
   * Takes the file, and reads what is there. Opening it again is opening it once.
   *
   * @throws {SnapshotInUseError} if another connection of this process has the same file
   */
  open(): Promise<void> {
    return (this.opening ??= this.claimAndRead());
  }

  /** What it holds of a configuration, for those who merge these layers; null if nothing. */
  read(key: string, layers: readonly ConfigLayer[]): SnapshotState | null {
    const entry = this.entries.get(key);
    if (!entry) return null;
    const documents = entry.documents
      .filter(({ layer }) => layers.includes(layer))
      .map(({ layer, revision, document }) => ({
        layer,
        revision: BigInt(revision),
        document: Buffer.from(document),
      }));
    return { documents, savedAt: new Date(entry.savedAt), clusterId: this.clusterId };
  }

  /** Keeps the documents of a good value. They are written within a second. */
  keep(key: string, { documents, savedAt, clusterId }: SnapshotState): void {
    if (this.closed) return;
    this.clusterId = clusterId ?? this.clusterId;
    this.followed.add(key);
    this.entries.set(key, {
      key,
      savedAt: savedAt.toISOString(),
      documents: documents.map(({ layer, revision, document }) => ({
        layer,
        revision: revision.toString(),
        document: document.toString(),
      })),
    });
    this.dirty = true;
    this.schedule(DEBOUNCE_MS);
  }

  /** Writes what is not written yet, and gives the file free. Never rejects. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.cancelTimer?.();
    await this.opening?.catch(() => undefined);
    this.dirty ||= this.followed.size > 0;
    await this.writing;
    await this.flush();
    if (claimed.get(this.file) === this) claimed.delete(this.file);
  }

  private async claimAndRead(): Promise<void> {
    this.file = await realFile(this.file);
    if (claimed.has(this.file)) {
      throw new SnapshotInUseError(
        this.file,
        `the connection "${claimed.get(this.file)!.owner.connection}" of this process`,
      );
    }
    claimed.set(this.file, this);
    await removeAbandoned(this.file);
    await this.load();
    this.opened = true;
    if (this.dirty) this.schedule(DEBOUNCE_MS);
  }

  private async load(): Promise<void> {
    try {
      const data = await readBeginning(this.file, MAX_BYTES + 1);
      if (!data) return;
      if (isForeign(data)) throw foreign();
      this.expectedWriter = peekWriter(data);
      if (data.length > MAX_BYTES) {
        throw new UndecodableSnapshot('too-large', 'is larger than 64 MiB; it is written anew');
      }
      const { header, content } = decodeSnapshot(data, this.key);
      const { namespace, service = null } = this.owner;
      if (content.namespace !== namespace || content.service !== service) {
        throw new UndecodableSnapshot(
          'foreign',
          `holds the configurations of ${describe(content)}, and not of ${describe({ namespace, service })}; give another file, or delete this one`,
        );
      }
      this.clusterId = content.clusterId;
      for (const entry of content.configurations) {
        if (!this.followed.has(entry.key)) this.entries.set(entry.key, entry);
      }
      this.logger.debug(`Read ${this.entries.size} configurations of ${header.writtenAt}.`);
    } catch (error) {
      this.report(this.asReadError(error));
    }
  }

  private asReadError(error: unknown): SnapshotError {
    if (error instanceof UndecodableSnapshot) {
      const made = new SnapshotError(this.file, error.reason, error.detail);
      // Another service would lose what it starts from, or somebody a file named by mistake.
      if (error.reason === 'foreign') this.readonlyBecause = made;
      return made;
    }
    const why = error instanceof NotAFileError ? 'it is no file' : systemFault(error);
    return new SnapshotError(
      this.file,
      'unreadable',
      `cannot be read (${why}); check its path and permissions`,
      error,
    );
  }

  private schedule(delayMs: number): void {
    if (this.cancelTimer || this.closed) return;
    this.cancelTimer = this.clock.setTimer(
      () => {
        this.cancelTimer = null;
        void this.flush();
      },
      delayMs,
      // What is not written when the process ends is written by `close`.
      { unref: true },
    );
  }

  /** One at a time. Never rejects. */
  private async flush(): Promise<void> {
    if (!this.opened || this.writing || !this.dirty || this.readonlyBecause) return;
    this.dirty = false;
    this.writing = this.write();
    await this.writing;
    this.writing = null;
    if (this.dirty) this.schedule(this.fault ? RETRY_MS : DEBOUNCE_MS);
  }

  private async write(): Promise<void> {
    try {
      await this.refuseOthersFile();
      const data = this.encode();
      if (data.length > MAX_BYTES) {
        throw new SnapshotError(
          this.file,
          'too-large',
          'would be larger than 64 MiB, and is not written',
        );
      }
      await writeAtomically(this.file, data, this.writer);
      this.expectedWriter = this.writer;
      if (this.fault)
        this.logger.log(
          `The configuration snapshot ${JSON.stringify(this.file)} is written again.`,
        );
      this.fault = null;
    } catch (error) {
      const made = error instanceof SnapshotError ? error : this.asWriteError(error);
      if (made.reason === 'in-use' || made.reason === 'foreign') this.readonlyBecause = made;
      // To be tried again.
      else this.dirty = true;
      this.report(made);
    }
  }

  private asWriteError(error: unknown): SnapshotError {
    return new SnapshotError(
      this.file,
      'unwritable',
      `cannot be written (${systemFault(error)}); the next start without etcd would find an old one or none. Check that its folder is there, can be written and has room`,
      error,
    );
  }

  /** Between this look and the write another process may come: its next look tells it, then. */
  private async refuseOthersFile(): Promise<void> {
    const beginning = await readBeginning(this.file, 2 * MAX_HEADER_BYTES);
    if (beginning && isForeign(beginning)) {
      const { reason, detail } = foreign();
      throw new SnapshotError(this.file, reason, detail);
    }
    const writer = beginning && peekWriter(beginning);
    if (!writer || writer === this.writer || writer === this.expectedWriter) return;
    throw new SnapshotInUseError(this.file, 'another process');
  }

  private encode(): Buffer {
    const now = Date.now();
    for (const [key, entry] of this.entries) {
      if (this.followed.has(key)) continue;
      if (now - Date.parse(entry.savedAt) > FORGOTTEN_MS) this.entries.delete(key);
    }
    const { namespace, service = null } = this.owner;
    const content = {
      namespace,
      service,
      clusterId: this.clusterId,
      configurations: [...this.entries.values()],
    };
    const header = { writer: this.writer, writtenAt: new Date(now).toISOString() };
    return encodeSnapshot(content, header, this.key);
  }

  private report(error: SnapshotError): void {
    const isNews = this.fault?.reason !== error.reason;
    this.fault = error;
    if (isNews) this.logger.warn(error.message);
  }
}

function describe({ namespace, service }: { namespace: string; service: string | null }): string {
  const of = service === null ? '' : `the service "${service}" in `;
  return `${of}the namespace "${namespace}"`;
}

/** Such as `EACCES`; the message of the system would name the path once more. */
function systemFault(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? String(error);
}
