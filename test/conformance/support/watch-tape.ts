import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { EtcdApi } from './etcd-api.js';
import { normalise } from './normalise.js';

type Response = Record<string, any>;

/**
 * A watch stream and all that came through it, told as a list of facts for each
 * watch. How events are grouped into responses is not a fact, as real servers
 * vary in it; that a revision is never torn is checked here.
 */
export class WatchTape {
  readonly responses: Response[] = [];
  readonly facts = new Map<string, unknown[]>();
  readonly torn: string[] = [];
  private readonly stream: ClientDuplexStream<Response, Response>;
  private readonly lastRevision = new Map<string, string>();
  private readonly inFragment = new Set<string>();
  private readonly waiting = new Set<() => void>();
  private refusals = 0;

  constructor(api: EtcdApi) {
    this.stream = api.stream('Watch', 'Watch');
    this.stream.on('data', (response: Response) => {
      this.record(response);
      for (const look of this.waiting) look();
    });
    // Cancelling is how a tape ends.
    this.stream.on('error', () => undefined);
  }

  /** Asks for a watch and waits until it is granted or refused. */
  async create(request: Response): Promise<Response> {
    const before = this.controlCount('created');
    this.stream.write({ create_request: request });
    await this.until(() => this.controlCount('created') > before, 'a watch to be created');
    return normalise(this.responses.filter(({ created }) => created).at(-1)) as Response;
  }

  async cancel(id: string): Promise<void> {
    const before = this.cancelCount(id);
    this.stream.write({ cancel_request: { watch_id: id } });
    await this.until(() => this.cancelCount(id) > before, `watch ${id} to be cancelled`);
  }

  write(request: Response): void {
    this.stream.write(request);
  }

  /** Waits for an answer to a request that changes nothing: what was sent before it has come. */
  async flush(): Promise<void> {
    const before = this.refusals;
    this.stream.write({ create_request: { key: Buffer.from('b'), range_end: Buffer.from('a') } });
    await this.until(() => this.refusals > before, 'an answer on the stream');
  }

  factsOf(id: string): unknown[] {
    return this.facts.get(id) ?? [];
  }

  /** How many facts there are of each watch. */
  counts(): Map<string, number> {
    return new Map([...this.facts].map(([id, facts]) => [id, facts.length]));
  }

  /** Waits until each watch has told at least so much. Gives up without an error: facts get compared. */
  async untilAtLeast(counts: ReadonlyMap<string, number>, timeoutMs = 3000): Promise<void> {
    const enough = () => [...counts].every(([id, count]) => this.factsOf(id).length >= count);
    await this.until(enough, 'enough events', timeoutMs).catch(() => undefined);
  }

  /** Looks at `condition` after each response. */
  async until(condition: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => {
        this.waiting.delete(look);
        reject(new Error(`Waited ${timeoutMs} ms in vain for ${what}.`));
      }, timeoutMs);
      const look = () => {
        if (!condition()) return;
        clearTimeout(late);
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
    });
  }

  close(): void {
    this.stream.cancel();
  }

  private record(response: Response): void {
    this.responses.push(response);
    const id = String(response['watch_id']);
    if (response['created'] && response['canceled']) {
      this.refusals++;
      return;
    }
    if (response['created']) return this.fact(id, { created: response['header'].revision });
    if (response['canceled']) {
      const { compact_revision, cancel_reason } = response;
      return this.fact(id, { canceled: true, compact_revision, cancel_reason });
    }
    for (const event of response['events'] as Response[]) this.fact(id, normalise(event));
    this.checkWhole(id, response);
  }

  private checkWhole(id: string, response: Response): void {
    const events = response['events'] as Response[];
    if (events.length === 0) return;
    if (!this.inFragment.has(id) && this.lastRevision.get(id) === events[0]!['kv'].mod_revision) {
      this.torn.push(`watch ${id}, revision ${events[0]!['kv'].mod_revision}`);
    }
    this.lastRevision.set(id, events.at(-1)!['kv'].mod_revision);
    if (response['fragment']) this.inFragment.add(id);
    else this.inFragment.delete(id);
  }

  private fact(id: string, fact: unknown): void {
    const facts = this.facts.get(id);
    if (facts) facts.push(fact);
    else this.facts.set(id, [fact]);
  }

  private controlCount(kind: 'created'): number {
    return this.responses.filter((response) => response[kind]).length;
  }

  private cancelCount(id: string): number {
    return this.responses.filter(
      ({ canceled, created, watch_id }) => canceled && !created && String(watch_id) === id,
    ).length;
  }
}
