import type { EtcdApi } from './etcd-api.js';
import type { Since, Step } from './generated-steps.js';
import { normalise } from './normalise.js';
import type { Server } from './rig.js';
import type { WatchTape } from './watch-tape.js';

/** What a server did with a list of steps. */
export interface Played {
  readonly answers: unknown[];
  readonly watches: Record<string, unknown[]>;
}

/**
 * How many facts each watch had told at the points where it matters that all
 * have been: found out on the embedded server, waited for on the real ones.
 */
export type Checkpoints = ReadonlyMap<string, number>[];

/** Plays the steps on a server. `checkpoints` are written by the embedded one, read by the others. */
export async function play(
  server: Server,
  base: number,
  steps: readonly Step[],
  checkpoints: Checkpoints,
): Promise<Played> {
  const player = new Player(server, base, checkpoints);
  for (const step of steps) await player.step(step);
  return player.end();
}

class Player {
  private readonly answers: unknown[] = [];
  private readonly tape: WatchTape;
  private readonly api: EtcdApi;
  private readonly isModel: boolean;
  private compacted: number;
  private readonly granted: string[] = [];
  private checkpoint = 0;

  constructor(
    server: Server,
    private readonly base: number,
    private readonly checkpoints: Checkpoints,
  ) {
    this.api = server.api;
    this.tape = server.tape();
    this.isModel = server.name === 'embedded';
    this.compacted = base;
  }

  async step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'call': {
        const request = this.absolute(step.request) as Record<string, unknown>;
        return this.answer(await this.api.call(step.service, step.method, request), step.method);
      }
      case 'keepAlive':
        return this.answer(await keepAlive(this.api, step.id));
      case 'compact':
        return this.compact(this.base + step.revision.since);
      case 'watch':
        return this.watch(step.request, step.start);
      case 'cancel':
        return this.cancel(this.granted[step.nth]);
    }
  }

  async end(): Promise<Played> {
    for (const id of this.granted) await this.cancel(id);
    return { answers: this.answers, watches: Object.fromEntries(this.tape.facts) };
  }

  private answer(answer: unknown, method = ''): void {
    const normal = normalise(answer);
    this.answers.push(method === 'LeaseTimeToLive' ? withoutTime(normal) : normal);
  }

  /** Waits first until all is told, as what is not told yet can be lost to the compaction. */
  private async compact(revision: number): Promise<void> {
    await this.checkAllTold();
    const answer = await this.api.call('KV', 'Compact', { revision, physical: true });
    if ('response' in answer) this.compacted = revision;
    this.answer(answer);
  }

  private async watch(request: object, start: Since | null): Promise<void> {
    let revision = start ? Math.max(this.base + start.since, 1) : 0;
    // Before 3.5.17, etcd forgets a deletion at the compacted revision itself.
    if (revision === this.compacted) revision++;
    const created = await this.tape.create({ ...request, start_revision: revision });
    if (!created['canceled']) this.granted.push(created['watch_id']);
    this.answer(created);
  }

  /** A watch that ended by itself is let be; whether it did is known once all is told. */
  private async cancel(id: string | undefined): Promise<void> {
    if (id === undefined) return;
    await this.checkAllTold();
    const hasEnded = this.tape.factsOf(id).some((fact) => 'canceled' in (fact as object));
    if (!hasEnded) await this.tape.cancel(id);
  }

  private async checkAllTold(): Promise<void> {
    const index = this.checkpoint++;
    if (this.isModel) {
      await this.tape.flush();
      await this.tape.flush();
      this.checkpoints[index] = this.tape.counts();
    } else {
      await this.tape.untilAtLeast(this.checkpoints[index] ?? new Map());
    }
  }

  private absolute(value: unknown): unknown {
    if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.absolute(item));
    if ('since' in value) return this.base + Number(value.since);
    return Object.fromEntries(
      Object.entries(value).map(([name, field]) => [name, this.absolute(field)]),
    );
  }
}

function keepAlive(api: EtcdApi, ID: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stream = api.stream('Lease', 'LeaseKeepAlive');
    let received: unknown;
    stream.on('data', (response) => (received = response));
    stream.on('end', () => resolve(received));
    stream.on('error', reject);
    stream.write({ ID });
    stream.end();
  });
}

/** Seconds pass while steps are played, and keys of a lease have no order. */
function withoutTime(answer: unknown): unknown {
  const { response } = answer as { response: { TTL: string; keys: string[] } };
  const TTL = Number(response.TTL) > 0 ? 'some' : response.TTL;
  return { ...response, TTL, keys: [...response.keys].sort() };
}
