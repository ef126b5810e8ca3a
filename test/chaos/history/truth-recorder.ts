import { setTimeout as pause } from 'node:timers/promises';
import type { IWatchResponse } from 'etcd3';
import { waitFor } from '../../support/wait-for.js';
import { machineNow } from '../../e2e/election/machine-clock.js';
import type { TrueEvent } from '../check/evidence.js';
import { type AdminAccess, adminClient, namespaceRange } from './admin-access.js';
import { MARKS, trueEvent } from './true-event.js';

const ASK_EVERY_MS = 1000;
/** A member that has said nothing for so long, though it was asked, is frozen. */
const SILENT_MS = 3000;
const AGAIN_MS = 100;

/**
 * Every event of a namespace, from the first revision on, by a raw watch straight at one member, without the
 * library: at the next one, from the last event on, when that ends or falls silent. So it may be late, and misses
 * nothing, as long as the history is not compacted past {@link revision}.
 */
export class TruthRecorder {
  readonly events: TrueEvent[] = [];
  /** What was compacted away before it was told, as sentences: the run is worth nothing then. */
  readonly missed: string[] = [];
  /** Told of each new term of Raft, decimal: a leader was elected. */
  onTerm: ((term: string) => void) | null = null;
  private term = 0n;
  private readonly end = new AbortController();
  private running: Promise<void> | null = null;
  private last = 0n;
  private marks = 0;

  constructor(private readonly access: AdminAccess) {}

  /** All events up to this revision have been told: the history may be compacted to it, and no further. */
  get revision(): bigint {
    return this.last;
  }

  /** Resolves when it follows. */
  async start(): Promise<void> {
    this.running = this.run();
    await this.complete();
  }

  /** Resolves when all that was written before is in {@link events}. */
  async complete(timeoutMs = 30_000): Promise<void> {
    const mark = await this.mark(timeoutMs);
    const what = 'the raw watch to have seen everything';
    await waitFor(() => this.last >= mark, { what, timeoutMs });
  }

  async stop(): Promise<void> {
    this.end.abort();
    await this.running;
  }

  /** Puts a key that the watch must come by; its revision. */
  private mark(timeoutMs: number): Promise<bigint> {
    const key = `${this.access.namespace}/${MARKS}${(this.marks += 1)}`;
    const put = async () => {
      using etcd = adminClient(this.access, this.access.endpoints);
      const { header } = await etcd.client.put(key).value('').exec();
      return BigInt(header.revision);
    };
    return waitFor(put, { what: 'a mark to be put', timeoutMs });
  }

  private async run(): Promise<void> {
    const { endpoints } = this.access;
    for (let index = 0; !this.end.signal.aborted; index += 1) {
      await this.follow(endpoints[index % endpoints.length]!).catch(() => undefined);
      await pause(AGAIN_MS, undefined, { signal: this.end.signal }).catch(() => undefined);
    }
  }

  /** Resolves or rejects when this member tells no more. */
  private async follow(endpoint: string): Promise<void> {
    using etcd = adminClient(this.access, [endpoint]);
    const stream = await etcd.client.watchClient.watch();
    await new Promise<void>((resolve, reject) => {
      let heardAt = performance.now();
      let over = false;
      const asking = setInterval(() => {
        if (performance.now() - heardAt > SILENT_MS) end();
        else stream.write({ progress_request: {} });
      }, ASK_EVERY_MS);
      const end = () => {
        over = true;
        clearInterval(asking);
        this.end.signal.removeEventListener('abort', end);
        stream.cancel();
        resolve();
      };
      this.end.signal.addEventListener('abort', end);
      stream.on('data', (response) => {
        // What is still on its way is told by the next stream too.
        if (over) return;
        heardAt = performance.now();
        this.take(response);
        if (response.canceled) end();
      });
      stream.on('end', end);
      // Cancelled, it ends with an error.
      stream.on('error', (error) => {
        end();
        reject(error);
      });
      if (this.end.signal.aborted) return end();
      stream.write({
        create_request: {
          ...namespaceRange(this.access.namespace),
          start_revision: (this.last + 1n).toString(),
        },
      });
    });
  }

  /** The events of one revision come in one response. */
  private take({ events, compact_revision, header }: IWatchResponse): void {
    const t = machineNow();
    this.takeTerm(BigInt(header.raft_term));
    if (BigInt(compact_revision) > this.last + 1n) {
      this.missed.push(
        `The history was compacted to ${compact_revision}, and the raw watch had come to ${this.last}.`,
      );
      this.last = BigInt(compact_revision) - 1n;
    }
    for (const { type, kv } of events) {
      const event = trueEvent(type === 'Put' ? 'put' : 'delete', kv, this.access.namespace, t);
      this.last = event.revision;
      if (!event.key.startsWith(MARKS)) this.events.push(event);
    }
  }

  /** A member that was away may be behind. */
  private takeTerm(term: bigint): void {
    if (term <= this.term || !this.onTerm) return;
    this.term = term;
    this.onTerm(`${term}`);
  }
}
